"""Tests of judge.wire."""
