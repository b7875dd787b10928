"""One federation of real processes for a file of tests, and what each fault cost, for docs/faults.md."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "client"))  # deployed.py
sys.path.insert(0, str(Path(__file__).parent / "hooks"))

from fault_deployment import Deployment
from fault_record import Recorder


@pytest.fixture(scope="session")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def deployments(
    tmp_path_factory: pytest.TempPathFactory, data_folder: Path
) -> Iterator[Callable[..., Deployment]]:
    """Makes federations, started; all are stopped at the end."""
    made: list[Deployment] = []

    def make(**given: object) -> Deployment:
        made.append(Deployment(tmp_path_factory.mktemp("federation"), data_folder, **given))  # type: ignore[arg-type]
        made[-1].start_all()
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def federation(deployments: Callable[..., Deployment]) -> Deployment:
    return deployments()
