"""Kayenta's API behind its routes: executions, their plan, status and store."""
