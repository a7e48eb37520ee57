"""Tests of judge/calibrate/report."""
