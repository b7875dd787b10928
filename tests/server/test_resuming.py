"""A run that is broken off and resumed ends with the weights that an uninterrupted one has, bit for bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.errors import CoordinatorError
from server.handshake import Roster
from server.rounds import RoundLoop
from server.store import RunFolder
from shared_model.config import Config
from shared_model.errors import RunError
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays
from tests.server.test_packed_rounds import COUNTS, NAMES, PackingSite

ROUNDS = 6


class BrokenOff(Exception):
    """What a killed process does, without a process."""


def trained(site: PackingSite | None, address: str, make: Any) -> Callable[[Payload], Payload]:
    """A site whose update depends on what it is sent, in a way that no two rounds share."""

    def answer(request: Payload) -> Payload:
        if site is not None:
            return site(request)
        number = request.fields["round"]
        moved = {
            n: np.asarray(a + np.float32(0.1) * np.sin(a * int(address) + number), np.float32)
            for n, a in request.arrays.items()
        }
        return make(number, COUNTS[address], moved, validation=_validation(request))  # type: ignore[no-any-return]

    return answer


def _validation(request: Payload) -> dict[str, Any]:
    loss = float(np.abs(next(iter(request.arrays.values()))).sum())
    matrix = [[1 if i == j else 0 for j in range(5)] for i in range(5)]
    return {"examples": 4, "loss_sum": loss, "confusion": {"icdr": matrix, "sdrg": matrix}}


@pytest.fixture
def federation(
    scripted: Any, honest_update: Callable[..., Payload], small_config: Callable[..., Config], tmp_path: Path
) -> Callable[..., RoundLoop]:
    def make(
        name: str, *overrides: str, sites: dict[str, Any] | None = None, renamed: str = "", breaks: int = 0
    ) -> RoundLoop:
        """renamed: put before every address, as if the sites had come back under others. breaks: in this round."""
        found = sites or {a: trained(None, a, honest_update) for a in NAMES}

        def breaking(address: str) -> Callable[[Payload], Payload]:
            def answer(request: Payload) -> Payload:
                if request.fields["round"] == breaks and address == "2":
                    raise BrokenOff
                return found[address](request)

            return answer

        config = small_config("training.early_stopping=0", f"federation.rounds={ROUNDS}", *overrides)
        roster = Roster(
            {renamed + a: n for a, n in NAMES.items()}, {renamed + a: c for a, c in COUNTS.items()}
        )
        carrier = scripted({renamed + a: breaking(a) for a in NAMES})
        return RoundLoop(carrier, roster, config, {"s": 1}, RunFolder(tmp_path / name, resumable=True))

    return make


def rows(loop: RoundLoop) -> list[dict[str, Any]]:
    found = loop.folder.history()
    for row in found:
        row.pop("seconds")
    return found


def resumed(loop: RoundLoop, base: Arrays) -> Arrays:
    assert loop.folder.checkpoints is not None
    checkpoint = loop.folder.checkpoints.latest()
    return loop.run(base) if checkpoint is None else loop.resume(checkpoint)


def same(a: Arrays, b: Arrays) -> bool:
    return set(a) == set(b) and all(a[name].tobytes() == b[name].tobytes() for name in a)


VARIANTS = {
    "fedavg": (),
    "plateau": ("training.schedule=plateau", "training.plateau_patience=1", "training.warmup_rounds=0"),
    "fedavgm": ("federation.strategy=fedavgm",),
    "fedadam": ("federation.strategy=fedadam",),
    "fedyogi": ("federation.strategy=fedyogi",),
    "median": ("federation.strategy=median",),
    "norms": ("federation.norm_screen=1.2", "federation.suspend_after=0"),
}


@pytest.mark.parametrize("breaks", [1, 2, 4, ROUNDS])
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_resumed_run_ends_as_an_uninterrupted_one(
    variant: str, breaks: int, federation: Callable[..., RoundLoop], base: Arrays
) -> None:
    if variant != "fedavg" and breaks != 4:
        return  # the round is no matter of the strategy
    whole = federation("whole", *VARIANTS[variant])
    expected = whole.run(base)
    broken = federation("broken", *VARIANTS[variant], breaks=breaks)
    with pytest.raises(BrokenOff):
        broken.run(base)
    again = federation("broken", *VARIANTS[variant], renamed="1000")
    found = resumed(again, base)
    assert same(found, expected)
    assert rows(again) == rows(whole)
    for name in ("last", "best"):
        assert same(again.folder.load_weights(name), whole.folder.load_weights(name))


@pytest.mark.parametrize(("up", "down"), [("int8", "int8"), ("int8", "bf16"), ("bf16", "int8")])
def test_what_the_sites_hold_is_known_after_a_resume(
    up: str, down: str, federation: Callable[..., RoundLoop], base: Arrays, honest_update: Any
) -> None:
    packing = f"exchange={{uplink='{up}', downlink='{down}'}}"
    whole_sites = {a: PackingSite(a, honest_update, up) for a in NAMES}
    whole = federation("whole", packing, sites=whole_sites)
    expected = whole.run(base)
    sites = {a: PackingSite(a, honest_update, up) for a in NAMES}
    with pytest.raises(BrokenOff):
        federation("broken", packing, sites=sites, breaks=4).run(base)
    asked = len(sites["3"].requests)
    again = federation("broken", packing, sites=sites, renamed="77")
    assert same(resumed(again, base), expected)
    assert [r.fields["exchange"]["upon"] is None for r in sites["3"].requests[asked:]] == [down != "int8"] * 3
    assert [r.fields["exchange"]["taken"] for r in sites["3"].requests[asked:]] == [3, 4, 5]


def test_the_round_after_the_last_one_is_the_last_validation(
    federation: Callable[..., RoundLoop], base: Arrays
) -> None:
    whole = federation("whole")
    expected = whole.run(base)
    broken = federation("broken")
    broken.sites.evaluate = lambda address, payload: (_ for _ in ()).throw(BrokenOff)  # type: ignore[attr-defined]
    with pytest.raises(BrokenOff):
        broken.run(base)
    again = federation("broken")
    assert same(resumed(again, base), expected)
    assert not [1 for question, _, _ in again.sites.asked if question == "train"]  # type: ignore[attr-defined]
    assert rows(again) == rows(whole)


def damage(place: Path, how: str) -> None:
    model = place / "model.safetensors"
    content = model.read_bytes()
    model.unlink()  # it shares its bytes with the run's last weights
    if how == "cut short":
        model.write_bytes(content[:-10])
    elif how == "altered":
        model.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif how == "document":
        model.write_bytes(content)
        (place / "checkpoint.json").write_text("{")


@pytest.mark.parametrize("how", ["cut short", "altered", "document", "gone"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    how: str, federation: Callable[..., RoundLoop], base: Arrays
) -> None:
    expected = federation("whole").run(base)
    with pytest.raises(BrokenOff):
        (broken := federation("broken", breaks=5)).run(base)
    place = broken.folder.path / "checkpoints"
    assert sorted(entry.name for entry in place.iterdir()) == ["round-00003", "round-00004"]
    damage(place / "round-00004", how)
    assert same(resumed(federation("broken"), base), expected)


def test_where_every_checkpoint_is_damaged_the_run_does_not_begin_anew(
    federation: Callable[..., RoundLoop], base: Arrays
) -> None:
    with pytest.raises(BrokenOff):
        (broken := federation("broken", breaks=5)).run(base)
    for place in (broken.folder.path / "checkpoints").iterdir():
        damage(place, "altered")
    with pytest.raises(CoordinatorError, match="C304 no checkpoint of the run is sound"):
        resumed(federation("broken"), base)


def test_a_full_disk_loses_the_unfinished_round_alone(
    federation: Callable[..., RoundLoop], base: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = federation("whole").run(base)
    broken = federation("broken")
    assert broken.folder.checkpoints is not None
    real = broken.folder.checkpoints.save

    def full(checkpoint: Any) -> None:
        if checkpoint.number == 4:
            raise RunError("the disk is full")
        real(checkpoint)

    monkeypatch.setattr(broken.folder.checkpoints, "save", full)
    with pytest.raises(RunError, match="disk is full"):
        broken.run(base)
    assert same(resumed(federation("broken"), base), expected)


def test_half_a_checkpoint_is_none(federation: Callable[..., RoundLoop], base: Arrays) -> None:
    with pytest.raises(BrokenOff):
        (broken := federation("broken", breaks=4)).run(base)
    place = broken.folder.path / "checkpoints"
    shutil.copytree(place / "round-00003", place / ".partial")
    (place / ".partial" / "checkpoint.json").unlink()
    with (broken.folder.path / "history.jsonl").open("a") as stream:
        stream.write(json.dumps({"round": 3})[:5])  # the line of the round under way, half written
    again = federation("broken")
    assert same(resumed(again, base), federation("whole").run(base))
    assert [row["round"] for row in again.folder.history()] == list(range(ROUNDS + 1))
