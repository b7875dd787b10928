"""The two grading tasks and how many grades each has, for whoever must not load what reads a hospital's tables."""

GRADES = 5  # ICDR and SDRG both run from 0 to 4
TASKS = ("icdr", "sdrg")
