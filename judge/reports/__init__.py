"""A record, for people: terminal text, Markdown for pull requests, HTML pages with pictures.

Every report is a pure function of the record (see `judge.archive`), so a verdict
reads the same on the day it was given and a year later. `judge.reports.formats` says how
to add an output format. Reports share the words (`text`), the order of metrics
(`view_model`) and the axes of pictures (`charts.axes`).
"""
