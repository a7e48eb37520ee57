"""Text and types: the only place that knows how things are spelled.

`documents` reads YAML and JSON and finds all faults at once, `config` and
`request` give the read documents their meaning, `record` and `answer` write
verdicts, `strict` is the one serialiser.
"""
