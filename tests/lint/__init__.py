"""Tests of judge/lint."""

from __future__ import annotations

from judge.lint.rules.live_answers import RULES

LIVE = frozenset(rule.id for rule in RULES) - {"kayenta-small-values"}
"""Rules that find nothing without a source."""
