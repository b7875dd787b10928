"""The report of a run: one self-contained HTML page made from its figures, history and configuration."""

from shared_model.report.page import render

__all__ = ["render"]
