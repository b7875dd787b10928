"""What the coordinator makes of all sites' figures: a temperature for each task, and one table for the federation."""

from server.evaluation.pool import pool_figures
from server.evaluation.temperature import fit_temperature

__all__ = ["fit_temperature", "pool_figures"]
