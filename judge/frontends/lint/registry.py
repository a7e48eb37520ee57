"""Every rule, by its id."""

from __future__ import annotations

from judge.frontends.lint import answers, queries, rollouts, steps, template_answer, template_args, template_fields, template_limits
from judge.frontends.lint.model import Rule

RULES: dict[str, Rule] = {
    rule.id: rule
    for group in (template_fields, template_answer, template_limits, template_args, rollouts, steps, queries, answers)
    for rule in group.RULES
}
