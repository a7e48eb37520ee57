"""Tests of judge/sources/prometheus."""
