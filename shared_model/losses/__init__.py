"""The six losses, one idea a file, and the objective that weighs them."""

from shared_model.losses.contrastive import contrastive_loss
from shared_model.losses.grading import grading_loss
from shared_model.losses.objective import Batch, Objective
from shared_model.losses.weighting import LossWeighting

__all__ = ["Batch", "LossWeighting", "Objective", "contrastive_loss", "grading_loss"]
