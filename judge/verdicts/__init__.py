"""The use cases: ask, score a dump, judge again, import, export."""
