"""The judge itself: numbers in, verdict out.

Pure: no I/O, clock, randomness, log or framework. Read `judge.core.canary` first.
"""
