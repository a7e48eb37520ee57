"""Judge ``sequential``: right about noise, about repeated looks, and able to see tails.

    evidence -> location | counts | shapes -> findings -> classification -> scoring -> verdict

Read `judge.core.sequential.judge` first.
"""

NAME = "sequential"
