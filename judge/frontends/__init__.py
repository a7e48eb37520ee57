"""Ways in. Each only translates; they own the clock and the ids."""
