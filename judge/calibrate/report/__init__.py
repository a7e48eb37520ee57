"""The calibration report, in the terminal and as a page."""
