"""Tests of judge/server/routes."""
