"""Figures of a model: predictions in, `metrics.json` out, with intervals over patients and ceilings."""

from shared_model.metrics.bootstrap import intervals, paired_difference
from shared_model.metrics.document import SCHEMA, comparisons, majority_predictions, model_figures
from shared_model.metrics.grading import METRICS, confusion_matrix, figures
from shared_model.metrics.modalities import modality_worth
from shared_model.metrics.predictions import INPUTS, PROTOCOLS, Predictions, aligned, concatenate
from shared_model.metrics.retrieval import text_to_image
from shared_model.metrics.summary import COLUMNS, SummaryRow, summary_table

__all__ = [
    "COLUMNS",
    "INPUTS",
    "METRICS",
    "PROTOCOLS",
    "SCHEMA",
    "Predictions",
    "SummaryRow",
    "aligned",
    "comparisons",
    "concatenate",
    "confusion_matrix",
    "figures",
    "intervals",
    "majority_predictions",
    "modality_worth",
    "model_figures",
    "paired_difference",
    "summary_table",
    "text_to_image",
]
