"""What the coordinator holds of one site before a sum is opened: uniform numbers, whatever the update was.

The masks come from the operating system, so a test of randomness fails by chance once in a million runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from secure_sites import SecureSites

from shared_model.config import Config
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays
from shared_model.secure_aggregation.stream import from_wire

CHANCE = 1e-6
SIZE = 200_000
UPDATES = {"nothing": 0.0, "as far as it goes": 1.0, "back": -1.0}


@pytest.fixture
def views(
    tmp_path: Path, small_config: Callable[..., Config]
) -> Callable[..., list[tuple[NDArray[np.uint64], NDArray[np.uint64]]]]:
    """What one site sent in so many rounds: its masked numbers and its masked report."""

    def make(
        change: float, bits: int, rounds: int = 1
    ) -> list[tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
        config = small_config(
            "secure_aggregation.enabled=true",
            f"secure_aggregation.bits={bits}",
            "federation.sites=0",
            f"federation.rounds={rounds}",
            "training.early_stopping=0",
        )
        sites = SecureSites(tmp_path, config, {f"site-{n}": 10 for n in range(3)})

        def learnt(site: str, base: Arrays) -> Arrays:
            return {name: array + np.float32(change) for name, array in base.items()}

        sites.learnt = learnt
        folder = tmp_path / f"{change}-{bits}"
        sites.loop(folder).run({"a": np.zeros((SIZE // rounds,), np.float32)})
        return [
            seen(answer, bits) for step, site, answer in sites.answers if (step, site) == ("train", "site-1")
        ]

    return make


def seen(answer: Payload, bits: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    assert set(answer.arrays) == {"masked", "report"}
    masked, report = from_wire(answer.arrays["masked"], bits), from_wire(answer.arrays["report"], 64)
    return masked.astype(np.uint64), report.astype(np.uint64)


def bytes_of(words: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """How often each value of each byte occurs: (bits / 8, 256)."""
    places = [(words >> np.uint64(shift)) & np.uint64(255) for shift in range(0, bits, 8)]
    return np.array([np.bincount(place.astype(np.int64), minlength=256) for place in places])


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("update", list(UPDATES))
def test_the_view_of_one_site_is_uniform(update: str, bits: int, views: Callable[..., list]) -> None:  # type: ignore[type-arg]
    ((masked, _),) = views(UPDATES[update], bits)
    assert masked.size == SIZE
    for counts in bytes_of(masked, bits):
        assert stats.chisquare(counts).pvalue > CHANCE
    pairs = (masked[:-1] & np.uint64(15)) * np.uint64(16) + (
        masked[1:] & np.uint64(15)
    )  # neighbours, 4 bits each
    assert stats.chisquare(np.bincount(pairs[::2].astype(np.int64), minlength=256)).pvalue > CHANCE


def test_the_view_of_one_site_does_not_depend_on_its_update(views: Callable[..., list]) -> None:  # type: ignore[type-arg]
    """Two updates as different as the bound allows, and no test tells their views apart."""
    ((nothing, _),), ((everything, _),) = views(0.0, 16), views(1.0, 16)
    for one, other in zip(bytes_of(nothing, 16), bytes_of(everything, 16), strict=True):
        assert stats.chi2_contingency(np.array([one, other])).pvalue > CHANCE
    assert stats.ks_2samp(nothing[:20_000], everything[:20_000]).pvalue > CHANCE
    together = np.corrcoef(nothing.astype(np.float64), everything.astype(np.float64))[0, 1]
    assert abs(together) < 5 / np.sqrt(SIZE)


def test_reports_are_uniform_too(views: Callable[..., list]) -> None:  # type: ignore[type-arg]
    """Small counts and losses, which would be all zeros in their upper bytes."""
    reports = np.concatenate([report for _, report in views(0.0, 16, rounds=40)])
    assert reports.size > 2000
    for counts in bytes_of(reports, 64):
        assert stats.chisquare(counts).pvalue > CHANCE


def test_nothing_but_masked_numbers_and_names_leaves_a_site(
    tmp_path: Path, small_config: Callable[..., Config]
) -> None:
    config = small_config("secure_aggregation.enabled=true", "federation.sites=0", "federation.rounds=1")
    sites = SecureSites(tmp_path, config, {f"site-{n}": 10 for n in range(3)})
    sites.loop(tmp_path / "run").run({"a": np.zeros((10,), np.float32)})
    for step, _, answer in sites.answers:
        assert (
            set(answer.fields)
            <= {
                "keys": {"site", "advert", "signed", "validated"},
                "shares": {"site", "shares", "digest", "figures"},
                "train": {"site", "question", "round", "session"},
                "evaluate": {"site", "question", "round", "session"},
                "survivors": {"site", "signature"},
                "unmask": {"site", "own", "keys", "figures"},
            }[step]
        )
        assert set(answer.arrays) <= {"masked", "report"}
