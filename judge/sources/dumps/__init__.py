"""Saved canaries: three formats to read, one to write, and a source that answers from them."""
