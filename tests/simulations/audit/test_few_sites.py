"""Data of too few sites for secure aggregation: the view is left out, and the reader is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared_model import load_config
from shared_model.command_line import errors
from shared_model.progress import RunProgress
from simulations.audit.audit import Audit
from simulations.audit.report import markdown
from simulations.audit.sizes import QUICK
from simulations.audit.views import SECURE

SAID = "Secure aggregation was not attacked: it needs 3 sites, and these data make 2."


@pytest.fixture
def audit(tmp_path: Path) -> Callable[[RunProgress], Audit]:
    plain, private = load_config("tiny"), load_config("private-tiny")
    return lambda progress: Audit(
        plain, private, tmp_path, tmp_path / "out", ["inversion"], [8.0], 1, QUICK, progress
    )


def test_two_sites_are_attacked_without_secure_aggregation_and_that_is_said(
    audit: Callable[[RunProgress], Audit], capsys: pytest.CaptureFixture[str]
) -> None:
    with RunProgress(errors) as progress:
        asked = audit(progress)
        two, three = asked._views(0, 2), asked._views(0, 3)
    assert {view.name for view in three} - {view.name for view in two} == {SECURE}
    assert " ".join(capsys.readouterr().err.split()).count(SAID) == 1
    assert SAID in markdown(asked._document({}, 2))
    assert "Secure aggregation" not in markdown(asked._document({}, 3))
