"""Tests of judge/cli."""
