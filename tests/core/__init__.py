"""Tests of judge.core."""
