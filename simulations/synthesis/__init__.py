"""A BRSET-shaped data set drawn from its labels."""
