"""Benchmarks that print the figures which the project promises."""
