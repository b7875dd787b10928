from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.handshake import Roster
from server.history import RoundRecord
from server.rounds import RoundLoop
from server.sites import SiteFailure
from server.store import RunFolder
from shared_model.config import Config
from shared_model.errors import RunError
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays

COUNTS = {"1": 10, "2": 30, "3": 2}
NAMES = {"1": "north", "2": "south", "3": "west"}
MakeUpdate = Callable[..., Payload]
MakeLoop = Callable[..., RoundLoop]


@pytest.fixture
def honest(honest_update: MakeUpdate) -> dict[str, Callable[[Payload], Payload]]:
    """Three sites, each moving every number by its own step."""

    def site(address: str, step: float) -> Callable[[Payload], Payload]:
        def answer(request: Payload) -> Payload:
            moved = {name: array + np.float32(step) for name, array in request.arrays.items()}
            return honest_update(request.fields["round"], COUNTS[address], moved)

        return answer

    return {"1": site("1", 0.5), "2": site("2", -0.25), "3": site("3", 1.0)}


@pytest.fixture
def loop(tmp_path: Path, small_config: Callable[..., Config]) -> MakeLoop:
    def make(
        sites: Any, *overrides: str, name: str = "run", on_round: Any = lambda record: None
    ) -> RoundLoop:
        config = small_config("training.early_stopping=0", *overrides)
        return RoundLoop(
            sites, Roster(NAMES, COUNTS), config, {"s": 1}, RunFolder(tmp_path / name), "federated", on_round
        )

    return make


def quarantine(loop: RoundLoop) -> list[dict[str, Any]]:
    path = loop.folder.path / "refused-updates.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def mean_step(*addresses: str) -> float:
    step = {"1": 0.5, "2": -0.25, "3": 1.0}
    return sum(COUNTS[a] * step[a] for a in addresses) / sum(COUNTS[a] for a in addresses)


def test_the_next_model_is_the_mean_weighted_by_examples(
    scripted: Any, honest: Any, loop: MakeLoop, base: Arrays
) -> None:
    sites = scripted(honest)
    found = loop(sites, "federation.rounds=1").run(base)
    for name, array in base.items():
        np.testing.assert_allclose(found[name], array + mean_step("1", "2", "3"), atol=1e-6)


def test_each_site_gets_one_message_a_round_and_a_last_evaluation(
    scripted: Any, honest: Any, loop: MakeLoop, base: Arrays
) -> None:
    sites = scripted(honest)
    running = loop(sites, "federation.rounds=3")
    last = running.run(base)
    questions = [(question, address, payload.fields["round"]) for question, address, payload in sites.asked]
    expected = [("train", a, n) for n in (1, 2, 3) for a in NAMES] + [("evaluate", a, 3) for a in NAMES]
    assert questions == expected
    final = sites.asked[-1][2]
    assert all(np.array_equal(final.arrays[name], last[name]) for name in last)
    assert all(payload.fields["standardisation"] == {"s": 1} for _, _, payload in sites.asked)


def test_the_order_of_arrival_changes_no_bit(
    scripted: Any, honest: Any, loop: MakeLoop, base: Arrays
) -> None:
    results = [
        loop(scripted(honest, order=order), name=str(i)).run(base)
        for i, order in enumerate([sorted, lambda a: sorted(a, reverse=True), lambda a: [a[1], a[2], a[0]]])
    ]
    for other in results[1:]:
        assert all(other[name].tobytes() == array.tobytes() for name, array in results[0].items())


def test_validation_of_a_round_arrives_with_the_next_one(
    scripted: Any, honest: Any, honest_update: MakeUpdate, loop: MakeLoop, base: Arrays
) -> None:
    def answer(request: Payload) -> Payload:
        found = honest["1"](request)
        found.fields["validation"]["loss_sum"] = 4.0 * request.fields["round"]
        return found

    heard: list[RoundRecord] = []
    sites = scripted({"1": answer, "2": honest["2"], "3": honest["3"]})
    running = loop(sites, "federation.rounds=2", on_round=heard.append)
    running.run(base)
    rows = running.folder.history()
    assert [row["round"] for row in rows] == [record.number for record in heard] == [0, 1, 2]
    assert [row["sites"]["north"]["validation_loss"] for row in rows[:2]] == [1.0, 2.0]
    assert rows[0]["sites"]["north"]["train_loss"] is None
    assert rows[1]["sites"]["north"]["examples"] == 10
    assert rows[1]["bytes_up"] == sum(site["bytes_up"] for site in rows[1]["sites"].values()) > 0
    assert rows[1]["bytes_down"] == sum(site["bytes_down"] for site in rows[1]["sites"].values()) > 0


def bad_updates(make: MakeUpdate) -> dict[str, Callable[[Payload], Payload | SiteFailure]]:
    def spoilt(change: Callable[[Arrays], Arrays]) -> Callable[[Payload], Payload]:
        return lambda r: make(r.fields["round"], 2, change(r.arrays))

    def with_nan(arrays: Arrays) -> Arrays:
        arrays = {name: array.copy() for name, array in arrays.items()}
        arrays["model.b"][0] = np.nan
        return arrays

    return {
        "NaN": spoilt(with_nan),
        "shape": spoilt(lambda a: {**a, "model.b": a["model.b"][:2]}),
        "float64": spoilt(lambda a: {**a, "model.b": a["model.b"].astype(np.float64)}),
        "tensors": spoilt(lambda a: {"model.b": a["model.b"]}),
        "norm": spoilt(lambda a: {name: array * np.float32(1e6) for name, array in a.items()}),
        "differs": spoilt(lambda a: {name: array + np.float32(150) for name, array in a.items()}),
        "counts -9": lambda r: make(r.fields["round"], -9, r.arrays),
        "counts 1000000000": lambda r: make(r.fields["round"], 10**9, r.arrays),
        "answers round 0": lambda r: make(r.fields["round"] - 1, 2, r.arrays),
        "validation": lambda r: make(r.fields["round"], 2, r.arrays, validation=None),
        "losses": lambda r: make(r.fields["round"], 2, r.arrays, losses={"Maria Silva": 1.0}),
        "not there": lambda r: SiteFailure("not there"),
    }


@pytest.mark.parametrize("reason", list(bad_updates(lambda *a, **k: Payload())))
def test_a_bad_update_is_quarantined_and_the_round_goes_on(
    reason: str, scripted: Any, honest: Any, honest_update: MakeUpdate, loop: MakeLoop, base: Arrays
) -> None:
    sites = scripted({**honest, "3": bad_updates(honest_update)[reason]})
    running = loop(sites, "federation.rounds=1")
    found = running.run(base)
    for name, array in base.items():
        np.testing.assert_allclose(found[name], array + mean_step("1", "2"), atol=1e-6)
    (row,) = quarantine(running)
    assert (row["round"], row["site"], row["model"]) == (1, "west", "federated")
    assert reason in row["reason"]
    assert "west" not in running.folder.history()[0]["sites"]  # nothing of it is believed
    assert running.folder.history()[1]["sites"]["west"]["examples"] == 0


def test_last_rounds_update_sent_again_is_refused(
    scripted: Any, honest: Any, loop: MakeLoop, base: Arrays
) -> None:
    kept: list[Payload] = []

    def replay(request: Payload) -> Payload:
        kept.append(honest["3"](request))
        return kept[0]

    running = loop(scripted({**honest, "3": replay}), "federation.rounds=2")
    running.run(base)
    assert [row["reason"] for row in quarantine(running)] == ["answers round 1, not 2"]


def test_a_bad_last_evaluation_is_left_out(scripted: Any, honest: Any, loop: MakeLoop, base: Arrays) -> None:
    def evaluate(address: str, payload: Payload) -> Payload | SiteFailure:
        answers = {"1": SiteFailure("gone"), "2": Payload(fields={"validation": {"examples": 1}})}
        return answers.get(address) or Payload(fields=honest["3"](payload).fields)

    running = loop(scripted(honest, evaluate=evaluate), "federation.rounds=1")
    running.run(base)
    assert [row["site"] for row in quarantine(running)] == ["north", "south"]
    assert running.folder.history()[-1]["sites"]["west"]["validation_loss"] == 1.0
    assert running.folder.history()[-1]["validation"]["loss"] == 1.0


@pytest.mark.parametrize(("quorum", "enough"), [(2, True), (3, False)])
def test_a_round_below_its_quorum_is_not_a_round(
    quorum: int, enough: bool, scripted: Any, honest: Any, loop: MakeLoop, base: Arrays
) -> None:
    def fails_in_round_two(request: Payload) -> Payload | SiteFailure:
        return SiteFailure("gone") if request.fields["round"] == 2 else honest["3"](request)

    running = loop(
        scripted({**honest, "3": fails_in_round_two}), "federation.rounds=2", f"federation.quorum={quorum}"
    )
    if enough:
        running.run(base)
        assert [row["round"] for row in running.folder.history()] == [0, 1, 2]
        return
    with pytest.raises(RunError, match=r"round 2 had 2 usable updates, the quorum is 3 \(west: gone\)"):
        running.run(base)
    saved = running.folder.load_weights("last")
    for name, array in base.items():
        np.testing.assert_allclose(saved[name], array + mean_step("1", "2", "3"), atol=1e-6)


def test_nobody_at_all_is_no_round(scripted: Any, loop: MakeLoop, base: Arrays) -> None:
    sites = scripted(dict.fromkeys(NAMES, lambda request: SiteFailure("gone")))
    with pytest.raises(RunError, match="had 0 usable updates"):
        loop(sites).run(base)


def losing(honest: Any, losses: list[float]) -> dict[str, Callable[[Payload], Payload]]:
    """Sites whose model before round n validates at losses[n - 1]."""

    def wrapped(address: str) -> Callable[[Payload], Payload]:
        def answer(request: Payload) -> Payload:
            found = honest[address](request)
            found.fields["validation"]["loss_sum"] = 4.0 * losses[request.fields["round"] - 1]
            return found

        return answer

    return {address: wrapped(address) for address in honest}


def test_early_stopping_ends_the_run_at_the_last_validated_model(
    scripted: Any, honest: Any, loop: MakeLoop, base: Arrays
) -> None:
    sites = scripted(losing(honest, [3.0, 2.0, 2.5, 2.5, 2.5, 2.5]))
    running = loop(sites, "federation.rounds=6", "training.early_stopping=2")
    found = running.run(base)
    rows = running.folder.history()
    assert [row["round"] for row in rows] == [0, 1, 2, 3]
    assert [row["validation"]["loss"] for row in rows] == [3.0, 2.0, 2.5, 2.5]
    step = mean_step("1", "2", "3")
    for name, array in base.items():
        np.testing.assert_allclose(found[name], array + 3 * step, atol=1e-5)
        assert np.array_equal(running.folder.load_weights("last")[name], found[name])
        np.testing.assert_allclose(running.folder.load_weights("best")[name], array + step, atol=1e-6)


def test_a_plateau_lowers_the_rate_that_sites_are_sent(
    scripted: Any, honest: Any, loop: MakeLoop, base: Arrays
) -> None:
    sites = scripted(losing(honest, [1.0] * 6))
    rate = ("training.schedule=plateau", "training.warmup_rounds=0", "training.learning_rate=0.8")
    loop(sites, *rate, "training.plateau_patience=1", "federation.rounds=6").run(base)
    sent = [
        p.fields["learning_rate"]
        for question, address, p in sites.asked
        if question == "train" and address == "1"
    ]
    # Round n's rate follows from the models validated before it: those up to round n - 2.
    assert sent == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.2])


@pytest.mark.parametrize("strategy", ["fedavgm", "fedadam", "fedyogi"])
def test_a_server_optimiser_moves_the_base_along_the_mean(
    strategy: str, scripted: Any, honest: Any, loop: MakeLoop, base: Arrays
) -> None:
    plain = loop(scripted(honest), name="plain").run(base)
    running = loop(scripted(honest), f"federation.strategy={strategy}")
    found = running.run(base)
    assert all(np.isfinite(array).all() for array in found.values())
    assert not all(np.allclose(found[name], plain[name]) for name in base)
    saved = running.folder.load_weights("last")
    assert all(np.array_equal(saved[name], found[name]) for name in found)


def test_a_site_does_not_count_for_what_it_could_not_train(
    scripted: Any, honest: Any, loop: MakeLoop, base: Arrays, honest_update: MakeUpdate
) -> None:
    """South has no notes, say: model.a is the mean of the two others, model.b of all three."""

    def south(request: Payload) -> Payload:
        answer = honest["2"](request)
        arrays = {**answer.arrays, "model.a": request.arrays["model.a"]}
        return honest_update(request.fields["round"], COUNTS["2"], arrays, untrained=["model.a"])

    found = loop(scripted({**honest, "2": south}), "federation.rounds=1").run(base)
    np.testing.assert_allclose(found["model.a"], base["model.a"] + mean_step("1", "3"), atol=1e-6)
    np.testing.assert_allclose(found["model.b"], base["model.b"] + mean_step("1", "2", "3"), atol=1e-6)
