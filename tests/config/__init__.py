"""Tests of judge/config."""
