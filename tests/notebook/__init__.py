"""Tests of judge/notebook."""
