"""What a site says about a finished model on its own patients: sums that pool, and nothing that rests on a few."""

from client.evaluation.finished import Finished, answering
from client.evaluation.losses import temperature_answer
from client.evaluation.scores import scores_answer
from client.evaluation.site_figures import site_figures

__all__ = ["Finished", "answering", "scores_answer", "site_figures", "temperature_answer"]
