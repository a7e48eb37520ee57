"""Tests of judge/server/admission."""
