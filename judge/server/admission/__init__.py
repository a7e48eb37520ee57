"""How many questions are judged at once, and whose turn it is."""
