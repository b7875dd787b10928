"""A coordinator that dies around the opening of a sum: what it can take up again, and what is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from secure_sites import SecureSites, model

from server.errors import CoordinatorError
from server.rounds import RoundLoop
from server.secure_aggregation.pending import NAME, Pending
from server.sites import SiteFailure
from server.store import RunFolder
from shared_model.config import Config
from shared_model.exchange import Payload


class Killed(Exception):
    """In place of kill -9."""


class Dying:
    """The sites of a coordinator that dies at a step, after so many answers to it."""

    def __init__(self, sites: SecureSites, step: str, after: int) -> None:
        self.sites, self.step, self.after = sites, step, after

    def addresses(self) -> list[str]:
        return self.sites.addresses()

    def ask(
        self, question: str, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        left = self.after
        for site, payload in payloads.items():
            step = payload.fields.get("step", question)
            if step == self.step and payload.fields.get("question") != "evaluate":
                if left == 0:
                    raise Killed
                left -= 1
            yield from self.sites.ask(question, {site: payload})


@pytest.fixture
def sites(tmp_path: Path, small_config: Callable[..., Config]) -> SecureSites:
    config = small_config(
        "secure_aggregation.enabled=true",
        "federation.sites=0",
        "federation.rounds=1",
        "training.learning_rate=1e-4",
        "training.warmup_rounds=0",
    )
    return SecureSites(tmp_path, config, {f"site-{n}": 10 + n for n in range(5)})


def begun_anew(sites: SecureSites, folder: Path) -> RoundLoop:
    store = RunFolder(folder, resumable=True)
    store.rewind(0)
    return RoundLoop(sites, sites.roster(), sites.config, {}, store)


def dies(sites: SecureSites, folder: Path, step: str, after: int) -> None:
    loop = begun_anew(sites, folder)
    loop.downlink.sites = Dying(sites, step, after)
    with pytest.raises(Killed):
        loop.run(model())


@pytest.mark.parametrize(
    ("step", "after"),
    [("keys", 2), ("shares", 3), ("train", 3), ("survivors", 2), ("unmask", 0), ("unmask", 4)],
)
def test_a_run_that_was_killed_ends_as_one_that_was_not(
    step: str, after: int, sites: SecureSites, tmp_path: Path
) -> None:
    dies(sites, tmp_path / "run", step, after)
    last = begun_anew(sites, tmp_path / "run").run(model())
    expected = sites.plain_mean(model(), sites.addresses())
    assert all(np.abs(last[name] - expected[name]).max() < 1e-6 for name in last)
    assert not (tmp_path / "run" / NAME).exists()


def test_what_lies_on_the_disk_until_then_is_masked(sites: SecureSites, tmp_path: Path) -> None:
    dies(sites, tmp_path / "run", "unmask", 0)
    kept = Pending.load(tmp_path / "run")
    assert kept is not None
    assert kept.total.sites == sites.addresses()
    assert len(np.unique(kept.total.vector)) > kept.total.vector.size * 0.9
    assert kept.total.told[0] != len(kept.total.sites)


def test_a_kept_sum_of_another_round_or_a_damaged_one_is_not_used(sites: SecureSites, tmp_path: Path) -> None:
    dies(sites, tmp_path / "run", "survivors", 0)
    assert Pending.load(tmp_path / "run") is None
    (tmp_path / "run" / NAME).write_bytes(b"half of it")
    assert Pending.load(tmp_path / "run") is None
    begun_anew(sites, tmp_path / "run").run(model())


def test_sites_that_were_restarted_as_well_do_not_open_it_a_second_time(
    sites: SecureSites, tmp_path: Path
) -> None:
    dies(sites, tmp_path / "run", "unmask", 4)
    for rounds in sites.rounds.values():
        rounds.rounds._one = None  # what a restart takes; what was opened stays on the site's disk
    with pytest.raises(CoordinatorError, match="is of no round that this site is in"):
        begun_anew(sites, tmp_path / "run").run(model())
