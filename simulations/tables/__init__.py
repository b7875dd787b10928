"""Tables I to VI of the source paper: its rows and columns, its figures beside ours, and the columns it lacks."""
