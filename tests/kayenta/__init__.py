"""Tests of judge/kayenta."""
