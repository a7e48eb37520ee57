"""Tests of judge/core/statistics."""
