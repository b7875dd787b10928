"""What the rehearsal writes and compares, without a process: its verdict must be able to be no."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from client.adapters import load
from client.site.config import load_site
from client.worker.own_machine import own_runtime
from deploy.federation import load_federation
from deploy.rehearsal import files
from deploy.rehearsal.comparison import compare
from deploy.rehearsal.networks import COORDINATOR, Loopback
from shared_model.config import load_config
from shared_model.errors import RunError


def model(folder: Path, value: float, shape: tuple[int, ...] = (2, 3)) -> Path:
    folder.mkdir()
    save_file({"a": np.full(shape, value, dtype=np.float32)}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("other", "identical", "holds"), [(1.0, True, True), (1.000005, False, True), (1.001, False, False)]
)
def test_the_comparison_tells_equal_from_near_from_different(
    other: float, identical: bool, holds: bool, tmp_path: Path
) -> None:
    found = compare(model(tmp_path / "a", 1.0), model(tmp_path / "b", other))
    assert (found.tensors, found.numbers) == (1, 6)
    assert (found.identical, found.holds) == (identical, holds)


def test_models_of_other_shapes_or_without_numbers_are_no_match(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="same tensors"):
        compare(model(tmp_path / "a", 1.0), model(tmp_path / "b", 1.0, (3, 2)))
    with pytest.raises(RunError, match="numbers that are none"):
        compare(model(tmp_path / "c", float("nan")), model(tmp_path / "d", 1.0))


def test_everything_on_loopback_has_a_port_of_its_own(tmp_path: Path) -> None:
    plan = files.Plan()
    network = Loopback(plan.sites)
    (tmp_path / "federation.yaml").write_text(files.federation_yaml(plan, network))
    described = load_federation(tmp_path / "federation.yaml")
    ports = [described.coordinator.port, described.coordinator.superlink_port]
    ports += [site.proxy_port for site in described.sites]
    assert len(set(ports)) == 5
    assert described.coordinator.hosts == (network.places[COORDINATOR].address,)


def test_pooled_every_patient_is_still_one_sites_and_on_its_side(data_folder: Path, tmp_path: Path) -> None:
    for site in ("moema", "santos"):
        (tmp_path / site).mkdir()
        for name in (files.TABLE, files.PHOTOGRAPHS):
            (tmp_path / site / name).symlink_to(data_folder / name)
        files.write_split(tmp_path / site)
    alone = load(tmp_path / "moema", "brset").table
    files.pool({site: tmp_path / site for site in ("moema", "santos")}, tmp_path / "pooled")
    together = load(tmp_path / "pooled", "brset").table
    assert len(together) == 2 * len(alone)
    own = together[together["center"] == "moema"].reset_index(drop=True)
    assert list(own["patient_id"]) == [f"moema-{patient}" for patient in alone["patient_id"]]
    assert list(own["split"]) == list(alone["split"])
    assert set(alone["split"]) == {"train", "validation", "test"}


def test_a_rehearsed_site_computes_as_the_simulation_beside_it(tmp_path: Path) -> None:
    """Or the weights could not be the same bit for bit: a site takes neither device nor threads from a plan."""
    (tmp_path / "site.toml").write_text(files.site_toml("moema"), encoding="utf-8")
    simulated = load_config(files.Plan().preset).runtime
    assert own_runtime(load_site(tmp_path / "site.toml"), simulated) == simulated
