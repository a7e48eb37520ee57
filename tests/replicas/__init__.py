"""Several judges over one PostgreSQL: nothing is lost, nothing is judged twice, whichever of them dies."""
