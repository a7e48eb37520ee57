"""What ``judge check`` finds in AnalysisTemplates, Rollouts, Experiments and canary configs beyond what makes them unusable.

`documents` reads files, folders and standard input into documents; the modules
in `rules` hold the rules; `checker` brings both together and `output`
writes what was found. To add a rule, write a function decorated with `rule` in the module
of its group, a page ``docs/checks/<id>.md`` with a bad and a good example, and nothing else.
"""
