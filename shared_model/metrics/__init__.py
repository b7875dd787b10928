"""Figures of a model: predictions in, `metrics.json` out, with intervals over patients and ceilings."""

from shared_model.metrics.bootstrap import intervals, paired_difference
from shared_model.metrics.calibration import calibrated, calibration_figures
from shared_model.metrics.document import (
    PROTOCOL_LABELS,
    SCHEMA,
    comparisons,
    majority_predictions,
    model_figures,
)
from shared_model.metrics.grading import METRICS, confusion_matrix, figures
from shared_model.metrics.modalities import modality_worth
from shared_model.metrics.predictions import INPUTS, PROTOCOLS, Predictions, aligned, concatenate
from shared_model.metrics.referable import REFERABLE, referable_figures, referable_score, roc_points
from shared_model.metrics.retrieval import image_to_text, text_to_image
from shared_model.metrics.subgroups import SUBGROUPS, attributes_of, subgroup_figures
from shared_model.metrics.summary import COLUMNS, SummaryRow, summary_table
from shared_model.metrics.trust import trust, uncertainty

__all__ = [
    "COLUMNS",
    "INPUTS",
    "METRICS",
    "PROTOCOLS",
    "PROTOCOL_LABELS",
    "REFERABLE",
    "SCHEMA",
    "SUBGROUPS",
    "Predictions",
    "SummaryRow",
    "aligned",
    "attributes_of",
    "calibrated",
    "calibration_figures",
    "comparisons",
    "concatenate",
    "confusion_matrix",
    "figures",
    "image_to_text",
    "intervals",
    "majority_predictions",
    "modality_worth",
    "model_figures",
    "paired_difference",
    "referable_figures",
    "referable_score",
    "roc_points",
    "subgroup_figures",
    "summary_table",
    "text_to_image",
    "trust",
    "uncertainty",
]
