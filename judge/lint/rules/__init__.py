"""Lint rules, one module a family."""

from __future__ import annotations

from judge.lint.rule import Rule
from judge.lint.rules import live_answers as answers
from judge.lint.rules import promql as queries
from judge.lint.rules import rollout_steps as steps
from judge.lint.rules import rollouts, template_args, template_fields, template_limits
from judge.lint.rules import template_conditions as template_answer

RULES: dict[str, Rule] = {
    rule.id: rule
    for group in (template_fields, template_answer, template_limits, template_args, rollouts, steps, queries, answers)
    for rule in group.RULES
}
"""Every rule, by its id."""
