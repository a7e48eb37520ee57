"""Lint rules, one module a family."""
