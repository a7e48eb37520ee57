"""Tests of judge.frontends."""
