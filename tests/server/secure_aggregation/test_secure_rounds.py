"""Whole secure rounds: the sum, sites lost at every step, and a coordinator that has too few left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from secure_sites import STEPS, SecureSites, model, report

from server.errors import Code, CoordinatorError
from server.history import RoundRecord
from server.secure_aggregation import collecting
from shared_model.config import Config
from shared_model.errors import ConfigError, DataError
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays
from shared_model.secure_aggregation.field import scales
from shared_model.secure_aggregation.session import text

SECURE = (
    "secure_aggregation.enabled=true",
    "federation.rounds=1",
    "training.learning_rate=1e-4",
    "training.warmup_rounds=0",
)


@pytest.fixture
def sites(tmp_path: Path, small_config: Callable[..., Config]) -> Callable[..., SecureSites]:
    def make(count: int, *overrides: str) -> SecureSites:
        config = small_config(*SECURE, "federation.sites=0", *overrides)
        return SecureSites(tmp_path, config, {f"site-{n:02d}": 10 + 37 * n for n in range(count)})

    return make


def tolerance(found: SecureSites, base: Arrays, used: int) -> dict[str, float]:
    """Half a unit a site, in the mean, and what fp32 takes."""
    weight = sum(found.weights.values())
    scale = scales(found.config, base, found.config.training.learning_rate, weight, len(found.weights))
    left = sorted(found.weights.values())[:used]
    return {name: used / 2 * 2.0 ** (one.shift - 36) / sum(left) + 2.0**-22 for name, one in scale.items()}


def assert_mean(found: Arrays, expected: Arrays, within: dict[str, float]) -> None:
    for name, array in expected.items():
        assert np.abs(found[name].astype(np.float64) - array).max() <= within[name], name


@pytest.mark.parametrize("count", [3, 4, 9, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("bits", [16, 32])
def test_the_sum_is_the_plain_sum_to_the_fields_rounding(
    count: int, bits: int, sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(count, f"secure_aggregation.bits={bits}"), model()
    last = found.loop(tmp_path / "run").run(base)
    assert_mean(last, found.plain_mean(base, found.addresses()), tolerance(found, base, count))


def test_figures_are_those_of_all_sites_together_and_of_none_alone(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(4), model()
    records: list[RoundRecord] = []
    found.loop(tmp_path / "run", records).run(base)
    before, after = (record.to_dict() for record in records)
    told = [report(n, weight) for n, weight in enumerate(found.weights.values())]
    examples = sum(one["validation"]["examples"] for one in told)
    loss = sum(one["validation"]["loss_sum"] for one in told) / examples
    for row in (before, after):
        assert row["validation"]["loss"] == pytest.approx(loss, abs=1e-5)
        assert row["validation"]["icdr"]["n"] == sum(
            np.sum(one["validation"]["confusion"]["icdr"]) for one in told
        )
    weights = np.array(list(found.weights.values()))
    assert after["together"]["loss"] == pytest.approx(
        np.average([1.0, 2.0, 3.0, 4.0], weights=weights), abs=1e-5
    )
    assert after["together"]["losses"]["grading"] == pytest.approx(
        np.average([1.0, 0.5, 1.0, 1.5], weights=weights), abs=1e-5
    )
    for site in after["sites"].values():
        assert (site["train_loss"], site["losses"], site["validation_loss"]) == (None, {}, None)
        assert site["examples"] > 0


def test_a_tensor_that_a_site_could_not_train_is_the_mean_of_the_others(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(3), model()
    found.untrained = {"site-01": ["b"], "site-00": ["weighting.c"], "site-02": ["weighting.c"]}
    found.untrained["site-01"] = ["b", "weighting.c"]
    last = found.loop(tmp_path / "run").run(base)
    assert_mean(last, found.plain_mean(base, found.addresses()), tolerance(found, base, 3))
    assert np.array_equal(last["weighting.c"], base["weighting.c"])


@pytest.mark.parametrize("step", STEPS)
def test_three_of_ten_sites_lost_at_any_step_change_nothing_for_the_others(
    step: str, sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(10), model()
    found.lost = dict.fromkeys(("site-02", "site-05", "site-09"), step)
    last = found.loop(tmp_path / "run").run(base)
    late = step in ("survivors", "unmask")  # their numbers are in the sum by then
    left = [site for site in found.addresses() if late or site not in found.lost]
    assert_mean(last, found.plain_mean(base, left), tolerance(found, base, len(left)))


def test_sites_lost_one_at_each_step_change_nothing_for_the_others(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(11), model()
    found.lost = dict(zip(("site-00", "site-03", "site-04", "site-07", "site-10"), STEPS, strict=True))
    last = found.loop(tmp_path / "run").run(base)
    left = [site for site in found.addresses() if found.lost.get(site) not in ("keys", "shares", "train")]
    assert_mean(last, found.plain_mean(base, left), tolerance(found, base, len(left)))


def test_fourteen_of_thirty_sites_lost_at_all_steps_change_nothing_for_the_others(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(30), model()
    found.lost = {f"site-{2 * n:02d}": STEPS[n % len(STEPS)] for n in range(14)}
    last = found.loop(tmp_path / "run").run(base)
    left = [site for site in found.addresses() if found.lost.get(site) not in ("keys", "shares", "train")]
    assert len(left) == 21
    assert_mean(last, found.plain_mean(base, left), tolerance(found, base, len(left)))


@pytest.mark.parametrize("step", STEPS)
def test_below_the_threshold_nothing_is_opened_and_the_run_says_so(
    step: str, sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(5), model()
    found.lost = dict.fromkeys(("site-00", "site-01", "site-02"), step)
    with pytest.raises(CoordinatorError, match=r"2 sites were left at step .*has gone") as error:
        found.loop(tmp_path / "run").run(base)
    assert error.value.code is Code.BELOW_QUORUM
    assert "nothing of the round was opened" in error.value.what
    opened = [site for answered, site, _ in found.answers if answered == "unmask"]
    assert len(opened) <= 2


def test_a_higher_threshold_than_the_majority_is_kept(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found = sites(5, "secure_aggregation.threshold=5")
    found.lost = {"site-03": "train"}
    with pytest.raises(CoordinatorError, match="4 sites were left at step 'train', 5 are needed"):
        found.loop(tmp_path / "run").run(model())


def test_two_sites_are_too_few(sites: Callable[..., SecureSites], tmp_path: Path) -> None:
    with pytest.raises(CoordinatorError, match="2 sites were left at step 'keys', 3 are needed"):
        sites(2).loop(tmp_path / "run").run(model())


def test_a_site_whose_update_is_not_finite_or_too_far_is_left_out_by_its_own_worker(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(5, "federation.norm_bound=1.0"), model()
    honest = found.learnt

    def learnt(site: str, given: Arrays) -> Arrays:
        if site == "site-01":
            return {name: array + np.float32(np.nan) for name, array in given.items()}
        return {n: a + np.float32(5) for n, a in given.items()} if site == "site-03" else honest(site, given)

    found.learnt = learnt
    last = found.loop(tmp_path / "run").run(base)
    found.learnt = honest
    left = ["site-00", "site-02", "site-04"]
    assert_mean(last, found.plain_mean(base, left), tolerance(found, base, 3))
    assert {
        (site, "not finite, or its norm" in why) for step, site, why in found.refused if step == "train"
    } == {
        ("site-01", True),
        ("site-03", True),
    }


def test_what_is_beyond_the_bound_is_cut_off_and_counted_in_the_sum_alone(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(3), {"a": np.zeros((50,), np.float32)}
    found.learnt = lambda site, given: {"a": np.full((50,), 1.0 if site == "site-00" else 0.0, np.float32)}
    records: list[RoundRecord] = []
    last = found.loop(tmp_path / "run", records).run(base)
    assert records[-1].together["cut_off"] == 50
    limit = 2.0 * 2 * 1e-4  # bound x local steps x rate
    share = found.weights["site-00"] / sum(found.weights.values())
    assert np.allclose(last["a"], limit * share, rtol=1e-3)


def test_a_site_that_says_another_weight_than_it_registered_is_left_out(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(4), model()
    loop = found.loop(tmp_path / "run")
    loop.roster.examples["site-02"] += 1
    last = loop.run(base)
    left = ["site-00", "site-01", "site-03"]
    assert_mean(last, found.plain_mean(base, left), tolerance(found, base, 3))


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("federation.strategy=median", "'median' needs the update of every single site"),
        ("federation.strategy=trimmed_mean", "'trimmed_mean' needs the update"),
        ("federation.strategy=krum", "'krum' needs the update"),
        ("federation.strategy=multi_krum", "'multi_krum' needs the update"),
        ("federation.norm_screen=3.0", "norm_screen compares the sites' norms"),
        ("federation.sites=2", "needs at least 3 sites, federation.sites is 2"),
        ("runtime.engine=ray", "'ray' moves sites between processes"),
        ("secure_aggregation.bits=8", "secure_aggregation.bits"),
        ("secure_aggregation.bound=0", "secure_aggregation.bound"),
    ],
)
def test_what_cannot_be_had_with_it_is_refused_by_name(
    override: str, why: str, small_config: Callable[..., Config]
) -> None:
    with pytest.raises(ConfigError, match=why):
        small_config(*SECURE, "federation.sites=3", override)


def test_shares_that_are_wrong_are_worked_around_and_named_where_they_are_too_many(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(5), model()
    answer = found.answer
    wrong: set[str] = {"site-00", "site-01"}

    def lying(step: str, site: str, request: Payload) -> Payload:
        given = answer(step, site, request)
        if step != "unmask" or site not in wrong:
            return given
        return Payload(fields=given.fields | {"own": dict.fromkeys(given.fields["own"], text(bytes(36)))})

    found.answer = lying  # type: ignore[method-assign]
    last = found.loop(tmp_path / "run").run(base)
    assert_mean(last, found.plain_mean(base, found.addresses()), tolerance(found, base, 5))
    wrong |= {"site-02"}
    fresh = sites(5)
    answer, fresh.answer = fresh.answer, lying  # type: ignore[method-assign]
    with pytest.raises(CoordinatorError, match="the shares of site-00's own mask do not give it") as error:
        fresh.loop(tmp_path / "other").run(base)
    assert error.value.code is Code.NOT_A_SUM


def test_a_worker_asked_outside_any_round_says_so(sites: Callable[..., SecureSites]) -> None:
    request = Payload(model(), {"round": 1, "learning_rate": 1e-4, "standardisation": {}})
    with pytest.raises(DataError, match="is of no round that this site is in"):
        sites(3).answer("train", "site-00", request)


def test_a_deployed_round_is_begun_anew_while_there_is_time(
    sites: Callable[..., SecureSites], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "RETRY_SECONDS", 0.0)
    found, base = sites(4, "federation.silence=60", "federation.grace=1"), model()
    found.lost = dict.fromkeys(("site-00", "site-01", "site-02"), "train")
    asked: list[str] = []

    def come_back(step: str, site: str, request: Payload) -> Payload:
        asked.append(str(request.fields.get("session")))
        if len(set(asked) - {"None"}) > 1:
            found.lost = {}
        return request

    found.alter = come_back
    last = found.loop(tmp_path / "run").run(base)
    assert_mean(last, found.plain_mean(base, found.addresses()), tolerance(found, base, 4))


def test_a_site_that_hands_in_anothers_keys_is_out_and_the_others_go_on(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(5), model()
    answer, seen = found.answer, {}

    def copying(step: str, site: str, request: Payload) -> Payload:
        given = answer(step, site, request)
        if step != "keys":
            return given
        seen[site] = given.fields["advert"]
        advert = seen[site] | ({"mask": seen["site-00"]["mask"]} if site == "site-03" else {})
        return Payload(fields=given.fields | {"advert": advert})

    found.answer = copying  # type: ignore[method-assign]
    last = found.loop(tmp_path / "run").run(base)
    left = [site for site in found.addresses() if site != "site-03"]
    assert_mean(last, found.plain_mean(base, left), tolerance(found, base, 4))


def test_more_sites_than_can_share_with_each_other_are_told_so(
    sites: Callable[..., SecureSites], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MOST_SITES", 3)
    with pytest.raises(CoordinatorError, match="adds up at most 3 sites in a round, 4 are there") as error:
        sites(4).loop(tmp_path / "run").run(model())
    assert error.value.code is Code.BAD_COUNT
