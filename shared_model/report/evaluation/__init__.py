"""The page of an evaluation: plots where people would rather look, and the photographs behind them.

It is made where the data is and stays there; whoever makes it picks the photographs by `choosing` and adds them.
"""

from shared_model.report.evaluation.cases import Cases, Found, Mistake, Photograph, Place, Search
from shared_model.report.evaluation.choosing import Choice, chosen_searches, hardest
from shared_model.report.evaluation.page import render

__all__ = [
    "Cases",
    "Choice",
    "Found",
    "Mistake",
    "Photograph",
    "Place",
    "Search",
    "chosen_searches",
    "hardest",
    "render",
]
