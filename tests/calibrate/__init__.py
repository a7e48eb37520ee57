"""Calibration and replay, on a made-up past that real servers hold."""
