"""Tests of judge/verdicts."""
