"""Prometheus, and servers that speak its API."""
