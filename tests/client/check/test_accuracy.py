"""What check finds of dirt whose truth is known: everything that is certain, nearly everything that is a judgement."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

import pytest

from simulations.dirt.accuracy import Marked, check_accuracy
from simulations.dirt.ask import ask_check
from simulations.dirt.plant import DEVELOPMENT_SEED, REPORTED_SEED
from simulations.dirt.truth import CERTAIN, JUDGEMENTS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def small() -> dict[str, Marked]:
    return {one.name: one for one in check_accuracy(300, DEVELOPMENT_SEED, size=60)}


def test_every_kind_of_dirt_was_planted(small: dict[str, Marked]) -> None:
    planted = {score.kind for one in small.values() for score in one.scores if score.planted}
    assert {*CERTAIN, *JUDGEMENTS} <= planted


def test_what_is_certain_is_found_and_nothing_clean_is_condemned(small: dict[str, Marked]) -> None:
    for name in ("planted", "clean"):
        assert small[name].condemned == ()
        assert [score for score in small[name].scores if score.kind in CERTAIN and not score.holds] == []


def test_judgements_are_nearly_always_right_and_cost_nothing(small: dict[str, Marked]) -> None:
    for name in ("planted", "notes"):
        for score in small[name].scores:
            if score.kind in JUDGEMENTS:
                assert len(score.missed) <= 1, score.missed
                assert len(score.false_alarms) <= 1, score.false_alarms
                assert score.condemned == 0


def test_a_clean_site_is_hardly_warned_of_anything(small: dict[str, Marked]) -> None:
    assert max(small["clean"].flagged.values()) <= 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_claims_hold_on_a_site_of_two_thousand_held_out() -> None:
    real = ROOT.parent / "shared" / "data" / "idrid"
    marked = check_accuracy(2000, REPORTED_SEED, real if real.is_dir() else None)
    failing = [(one.name, score) for one in marked for score in one.scores if not score.holds]
    assert failing == []
    assert [one.condemned for one in marked if one.condemned] == []


def test_the_identical_pairs_of_the_real_photographs_are_found_and_their_grades_named() -> None:
    folder = ROOT.parent / "shared" / "data" / "idrid"
    if not folder.is_dir():
        pytest.skip("the real photographs (../shared/data/idrid) are not on this machine")
    twins: dict[str, set[str]] = defaultdict(set)
    for path in (folder / "fundus_photos").iterdir():
        twins[hashlib.sha256(path.read_bytes()).hexdigest()].add(path.stem)
    pairs = [names for names in twins.values() if len(names) > 1]
    said = ask_check(folder)
    assert len(pairs) == 6
    assert said.named["identical_across_patients"] == frozenset().union(*pairs)
    assert {"idrid_train_028", "idrid_train_327"} <= said.named["identical_conflicting_grades"]
    assert said.quarantined == frozenset()
