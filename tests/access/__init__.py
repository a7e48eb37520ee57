"""Tests of judge/access."""
