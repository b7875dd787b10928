"""What the coordinator makes of all sites' figures: temperatures, operating points, one table for the federation."""

from server.evaluation.points import fit_points
from server.evaluation.pool import pool_figures
from server.evaluation.temperature import fit_temperature

__all__ = ["fit_points", "fit_temperature", "pool_figures"]
