"""A whole federation on one machine, by the commands that its users give: provisioned, run, compared, and gone again.

`make federation` runs it; tests of what goes wrong stand on its `Rehearsal`.
"""
