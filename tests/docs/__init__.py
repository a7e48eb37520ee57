"""README.md and docs/ say what the code does: sessions are run, answers compared, names looked up in the code."""
