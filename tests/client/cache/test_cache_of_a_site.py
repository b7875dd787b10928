"""At a deployed site features are sealed, and go when the patient, the time or the site goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.cache.feature_file import FeatureFile, Key, names_in
from client.data.images import ImageStore
from client.rights.exclude import exclude
from client.rights.purge import listing, purge
from client.rights.retention import expire
from client.site.config import SiteConfig, load_site
from client.site.contents import FEATURES, IMAGES
from client.site.state import SiteState
from client.worker.site_worker import SiteWorker
from shared_model.config import Config
from shared_model.exchange import Payload, shared_tensors
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.statistics import Standardisation
from tests.client.cache.conftest import DRAWS

SiteOf = Callable[..., tuple[SiteConfig, SiteState, SiteWorker]]
DAYS = {"caches": 90}


@pytest.fixture
def site_of(data_folder: Path, tmp_path: Path, frozen_config: Callable[..., Config]) -> SiteOf:
    def make(extra: str = "") -> tuple[SiteConfig, SiteState, SiteWorker]:
        file = tmp_path / "site.toml"
        file.write_text(
            f'[site]\nname = "north"\n[data]\nfolder = "{data_folder}"\n'
            "[split]\ntrain = 0.6\nvalidation = 0.2\n[policy]\nminimum_cell = 0\n" + extra
        )
        config = load_site(file)
        state = SiteState.open(config.state, config.key, encrypt=config.storage.encrypt)
        plan = frozen_config(DRAWS, "training.local_steps=1", "data.minimum_cell=0")
        return config, state, SiteWorker(config, state, plan, run="run-1", federation="fed")

    return make


def trained(worker: SiteWorker, standardisation: Standardisation, number: int = 1) -> Payload:
    plan = worker._plan
    fresh = Objective(build_model(plan.model, seed=plan.seed), plan.losses)
    fields = {"round": number, "learning_rate": 1e-3, "standardisation": standardisation.to_dict()}
    return worker.train(Payload(shared_tensors(fresh), fields))


def contents(state: SiteState, kind: str = "image") -> set[bytes]:
    folder = state.path(FEATURES)
    (name,) = [name for name in names_in(folder) if name.startswith(kind)]
    return {key.content for key in FeatureFile(folder, name, state.vault)._places}


def test_features_of_a_site_are_sealed_and_its_own(site_of: SiteOf, standardisation: Standardisation) -> None:
    _, state, worker = site_of()
    trained(worker, standardisation)
    folder = state.path(FEATURES)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    digests = {
        bytes.fromhex(digest) for digest in ImageStore.open(state.path(IMAGES), state.vault).digests.values()
    }
    assert contents(state) <= digests
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not any(digest in stored for digest in digests)
    assert len(FeatureFile(folder, names_in(folder)[0], None)) == 0


def test_an_excluded_patients_features_are_gone_and_the_others_stay(
    site_of: SiteOf, standardisation: Standardisation
) -> None:
    _config, state, worker = site_of()
    trained(worker, standardisation)
    store = ImageStore.open(state.path(IMAGES), state.vault)
    before = contents(state)
    for patient in map(str, range(40)):
        name = state.patient(patient)
        theirs = {bytes.fromhex(one.digest) for one in store.index.kept if one.patient == name} & before
        if theirs:
            break
    exclusion = exclude(state, patient)
    assert contents(state) == before - theirs
    assert any("views of photographs" in removed for removed in exclusion.removed)
    assert any("all notes" in removed for removed in exclusion.removed)
    assert not any(patient in removed.split() for removed in exclusion.removed if len(patient) > 2)
    assert [name for name in names_in(state.path(FEATURES)) if name.startswith("text")] == []
    trained(worker, standardisation, 2)
    assert contents(state) == before - theirs
    assert contents(state, "text")
    again = exclude(state, patient)
    assert not any("views" in removed for removed in again.removed)


def test_features_whose_owner_cannot_be_told_go_whole(
    site_of: SiteOf, standardisation: Standardisation
) -> None:
    _, state, worker = site_of()
    trained(worker, standardisation)
    state.path(f"{IMAGES}.json").write_bytes(b"damaged")
    for path in state.path(FEATURES).glob("text-*.index"):
        path.write_bytes(b"damaged")
    exclude(state, "3")
    assert not any(contents(state) for name in names_in(state.path(FEATURES)) if name.startswith("image"))
    assert not [name for name in names_in(state.path(FEATURES)) if name.startswith("text")]


def test_purge_leaves_none_and_names_them_before(site_of: SiteOf, standardisation: Standardisation) -> None:
    config, state, worker = site_of()
    trained(worker, standardisation)
    (state.path(FEATURES) / ".image-ab.index.x1").write_bytes(b"left by a crash")
    kept = {item.path for item in listing(config.state, config.key)}
    assert set(state.path(FEATURES).iterdir()) <= kept
    assert purge(config.state, config.key).left == ()
    assert not state.path(FEATURES).exists()


def test_old_features_expire_by_when_they_were_begun_and_by_model(tmp_path: Path) -> None:
    state = SiteState.open(tmp_path / "state", tmp_path / "site.key")
    for name in ("image-ab", "image-cd"):
        file = FeatureFile(state.path(FEATURES), name, state.vault)
        with file.writing():
            file.write(Key(bytes(32)), np.zeros((2, 2), dtype=np.float16))
    assert expire(state, DAYS, now=time.time() + 89 * 86_400) == []
    folder = state.path(FEATURES)
    header = bytearray((folder / "image-ab.index").read_bytes())
    header[20:28] = int(time.time() - 60 * 86_400).to_bytes(8, "big")  # begun two months before
    (folder / "image-ab.index").write_bytes(header)
    assert len(expire(state, DAYS, now=time.time() + 40 * 86_400)) == 1
    assert names_in(folder) == ["image-cd"]


def test_the_operator_limits_the_disk_space_whatever_the_run_asks(
    site_of: SiteOf, standardisation: Standardisation
) -> None:
    _, state, worker = site_of("[resources]\ncache_gb = 0\n")
    assert trained(worker, standardisation).arrays
    assert not state.path(FEATURES).exists()
