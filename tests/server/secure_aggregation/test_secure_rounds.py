"""Whole secure rounds: the sum, sites lost at every step, and a coordinator that has too few left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from secure_sites import SECURE, STEPS, SecureSites, assert_mean, model, report, tolerance

from server.errors import Code, CoordinatorError
from server.history import RoundRecord
from shared_model.config import Config
from shared_model.errors import ConfigError
from shared_model.exchange.parameters import Arrays


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
