from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployed import Site, make_federation, make_site, plan_of, signed_by_kit

from shared_model.config import Config
from shared_model.run_plan import SignedPlan


@pytest.fixture(scope="session")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"))


@pytest.fixture(scope="session")
def signed(kits: Path, small_config: Callable[..., Config]) -> SignedPlan:
    """A plan that the coordinator signed."""
    return signed_by_kit(plan_of(small_config()), kits / "coordinator")


@pytest.fixture(scope="module")
def deployed(
    tmp_path_factory: pytest.TempPathFactory, data_folder: Path, kits: Path, signed: SignedPlan
) -> Iterator[Site]:
    """A site whose operator approved everything, and whose worker serves in a process of its own."""
    site = make_site(tmp_path_factory.mktemp("paulista"), data_folder, kits / "paulista")
    site.trust()
    site.approvals().approve_plan(signed)
    site.start()
    yield site
    site.stop()
