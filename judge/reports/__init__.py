"""A record, for people: terminal text, Markdown for pull requests, HTML pages with pictures.

Every report is a pure function of the record (see `judge.archive`), so a verdict
reads the same on the day it was given and a year later. To add a report, write a
module with a function of a record; the words, the order and the pictures' axes are
shared (`words`, `findings`, `axes`).
"""
