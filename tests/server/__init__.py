"""Tests of judge/server."""
