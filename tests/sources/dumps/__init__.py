"""Tests of judge/sources/dumps."""
