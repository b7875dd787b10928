"""What sites say about a finished model so that all of them together have figures, and how it adds up.

Sums only: of losses at given temperatures, of gradings in a confusion matrix, of scores in fixed bins. Cells of few
patients are merged at the site (client.evaluation), the coordinator adds up (server.evaluation), and what merging
and binning leave open is a bound beside the figure, not a guess.
"""

from shared_model.evaluation.histogram import BINS, EDGES, Histogram, bin_of
from shared_model.evaluation.scores import Scores, ScoresAnswer
from shared_model.evaluation.site_figures import INPUTS, Confusion, SiteFigures, TaskFigures
from shared_model.evaluation.temperature import GRID, TemperatureAnswer

__all__ = [
    "BINS",
    "EDGES",
    "GRID",
    "INPUTS",
    "Confusion",
    "Histogram",
    "Scores",
    "ScoresAnswer",
    "SiteFigures",
    "TaskFigures",
    "TemperatureAnswer",
    "bin_of",
]
