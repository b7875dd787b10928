"""`fedfundus-simulate audit` from end to end: the report, a second call that attacks nothing again, and mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from simulations.audit import inversion, membership
from simulations.audit.views import NO_NOISE
from simulations.synthesis.dataset import synthesize
from tests.simulations.conftest import Outcome

Command = Callable[..., Outcome]
TINY = (
    "model.image.size=32 model.image.width=32 model.image.depth=1 model.text.width=32 model.fusion.width=32 "
    "model.fusion.depth=1 model.fusion.joint=32 model.decoders.image_channels=[8,8] training.batch_size=8 "
    "model.image.frozen_blocks=0 runtime.jobs=1"
)
SET = [part for item in TINY.split() for part in ("--set", item)]


def test_the_inversion_report_has_figures_pictures_and_a_verdict(
    command: Command, synthetic: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    what = ("audit", "--data", synthetic, "--out", out, "--attacks", "inversion", "--quick", "--epsilons", 8)
    asked = (*what, *SET, "--set", "training.local_steps=1", "--rounds", 1)
    first = command(*asked)
    assert first.code == 0, first.err
    document = json.loads((out / "audit.json").read_text())
    row = document["inversion"][0]
    assert row["view"] == inversion.CONTROL
    assert row["photograph"]["psnr"] > row["photograph"]["mean"]["psnr"] + 10
    assert row["form"]["error"] < 0.01
    page = (out / "audit.html").read_text()
    assert page.count("data:image/png;base64,") >= 3 * len(document["inversion"])
    private = [one for one in document["inversion"] if one["claim"] is not None]
    assert all(one["form"] is None or one["form"]["error"] > 0.3 for one in private)
    assert all(
        "recall" not in found or found["recall"] < 1 for one in private for found in one["notes"].values()
    )

    controls = [one for one in document["inversion"] if one["view"] == NO_NOISE]
    assert [one["moment"] for one in controls] == ["one patient", "round"], "what hides without noise, too"
    assert all(one["claim"] is None for one in controls)

    again = command(*asked, "--json")
    assert again.code == 0
    assert json.loads(again.out) == document
    assert "search" not in again.err, "what is attacked already is not attacked again"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--attacks", "guessing"), ("guessing", "membership, canaries, inversion")),
        (("--epsilons", "0"), ("--epsilons",)),
        (("--seeds", "0"), ("seeds",)),
    ],
)
def test_a_mistake_is_one_message(
    command: Command, synthetic: Path, tmp_path: Path, arguments: tuple[str, str], words: tuple[str, ...]
) -> None:
    found = command("audit", "--data", synthetic, "--out", tmp_path / "out", *arguments)
    assert found.code == 2
    assert all(word in found.err for word in words)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_attack_runs_and_finds_what_is_not_protected(command: Command, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "audit"
    synthesize(data, patients=60, test_patients=60, seed=4, processes=1)
    steps = ("--set", "training.local_steps=12", "--rounds", 8)
    found = command("audit", "--data", data, "--out", out, "--quick", "--epsilons", 1, *SET, *steps)
    assert found.code in (0, 1), found.err
    document = json.loads((out / "audit.json").read_text())
    assert found.code == (1 if any(document["verdict"].values()) else 0)
    assert document["verdict"]["broken"] == []
    assert not any("inversion" in text for text in document["verdict"]["blind"])
    assert set(document["membership"]["0"]) >= {membership.CONTROL, "all shared", "epsilon 1", NO_NOISE}
    assert not any("membership" in text for text in document["verdict"]["blind"])
