"""The installed package's version, compared when a site joins."""

from importlib.metadata import version

PACKAGE_VERSION = version("fedfundus")
