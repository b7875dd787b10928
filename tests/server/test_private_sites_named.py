"""The coordinator's part in a run of private and other sites: the names are sites', and its record labels each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server.errors import CoordinatorError
from server.exporting import export_model
from server.kit import Kit, read_kit
from server.launching import launch_run
from server.screen import show_run
from server.store.report import run_document
from server.store.runs import RunStore
from server.submitting import SuperLink
from shared_model.config import Config
from shared_model.errors import ConfigError
from shared_model.exchange import shared_tensors
from tests.client.deployed import make_federation
from tests.server.signing_keys import certificate_of, private_pem

MIXED = ("privacy.enabled=true", "privacy.sites=north", "model.local=[]", "federation.rounds=1")
LABELS = {"north": "private: epsilon 8, delta 1e-05", "south": "not private"}


@pytest.fixture
def kit() -> Kit:
    key = ec.generate_private_key(ec.SECP384R1())
    return Kit("here", SuperLink(""), private_pem(key), certificate_of(key), ("north", "south"))


def test_a_name_that_has_no_kit_is_refused_before_a_plan_is_signed(
    kit: Kit, tmp_path: Path, small_config: Callable[..., Config]
) -> None:
    store = RunStore(tmp_path / "store")
    wrong = small_config(*MIXED, "privacy.sites=north,sauth")
    with pytest.raises(ConfigError, match="no site 'sauth' to train privately"):
        launch_run(store, wrong, name="one", kit=kit, canary=False)
    assert store.rows() == []
    assert launch_run(store, small_config(*MIXED), name="one", kit=kit, canary=False) == "one"


def test_a_made_kit_knows_its_sites_and_half_of_one_is_refused(tmp_path: Path) -> None:
    kit = make_federation(tmp_path) / "coordinator"
    assert "paulista" in read_kit(kit).sites
    (kit / "roster.json").unlink()
    with pytest.raises(CoordinatorError, match="the kit is not whole"):
        read_kit(kit)


def test_record_and_export_label_every_site(
    tmp_path: Path,
    small_config: Callable[..., Config],
    small_objective: Callable[..., Any],
    standardisation: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = RunStore(tmp_path / "store")
    store.create("one", small_config(*MIXED), federation="here", canary=False, plan=None)
    folder = store.open("one")
    folder.joined(LABELS)
    validation = {"loss": 1.5, "icdr": {"n": 4, "quadratic_weighted_kappa": 0.5, "accuracy": 0.5}}
    for number in range(2):
        row = {"round": number, "validation": validation, "sites": {}, "bytes_up": 0, "bytes_down": 0}
        folder.append_history(row)
    folder.took_part(1, "north", {"examples": 12, "epsilon": 7.5, "steps": 4})
    folder.took_part(1, "south", {"examples": 12})
    folder.round_complete(1)
    store.set_state("one", "finished")
    document = run_document(store, store.row("one"))
    assert {site["site"]: site["privacy"] for site in document["sites"]} == LABELS
    assert {site["site"]: site["epsilon"] for site in document["sites"]} == {"north": 7.5, "south": None}
    show_run(document)
    assert "south: not private" in capsys.readouterr().out
    _lives_without_its_configuration(store)
    folder.save_weights("last", shared_tensors(small_objective("model.local=[]")))
    folder.save_json("standardisation.json", standardisation.to_dict())
    folder.save_json("statistics.json", {"patients": 24})
    out = tmp_path / "model"
    export_model(store, "one", out, weights="last", kit=None)
    for said in (
        json.loads((out / "privacy.json").read_text()),
        json.loads((out / "statement.json").read_text())["privacy"],
    ):
        assert said["sites"] == LABELS
        assert said["private"] is False
        assert "south trained without differential privacy" in said["why"]


def _lives_without_its_configuration(store: RunStore) -> None:
    """Altered, of a release with other keys, or gone: `status` tells the rest, and that privacy is unknown."""
    path = store.folder / "runs" / "one" / "config.toml"
    kept = path.read_bytes()
    later = kept + b"\n[later]\nkey = 1\n"
    for content, recorded in ((later, kept), (later, later), (None, kept)):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with store.database.writing() as connection:
            connection.execute("UPDATE runs SET config_sha256 = ?", (hashlib.sha256(recorded).hexdigest(),))
        found = run_document(store, store.row("one"))
        assert all(site["privacy"].startswith("unknown") for site in found["sites"])
        assert [site["epsilon"] for site in found["sites"]] == [7.5, None]
        show_run(found)
    path.write_bytes(kept)
    with store.database.writing() as connection:
        connection.execute("UPDATE runs SET config_sha256 = ?", (hashlib.sha256(kept).hexdigest(),))
