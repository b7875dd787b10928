"""`--fuzz-cases N`: how many hostile inputs to try; `make soak` asks for 5,000."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-cases", type=int, default=None, help="hostile inputs in all")
