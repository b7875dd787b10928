"""Versions that a model is tied to: the installed package's, compared when a site joins, and the photographs'."""

from importlib.metadata import version

PACKAGE_VERSION = version("fedfundus")

# Changes whenever the same bytes would give other pixels. 2: deep greyscale by its declared depth; DICOM.
PIPELINE_VERSION = "fundus-2"
