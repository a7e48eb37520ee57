"""Tests of judge/reports/charts."""
