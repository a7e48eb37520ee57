"""Logs, metrics, traces and request ids of the service itself."""
