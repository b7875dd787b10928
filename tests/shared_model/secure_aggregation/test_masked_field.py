"""The field, its masks, shares and reports: what fits, what cancels, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model.config import Config
from shared_model.exchange.fixed_point import LARGEST_WEIGHT
from shared_model.secure_aggregation.field import (
    LARGEST_BOUND,
    Scale,
    decoded,
    encoded,
    scales,
    shift_for,
)
from shared_model.secure_aggregation.keys import (
    KeyProblem,
    agreed,
    derived,
    new_secret,
    private_key,
    public_bytes,
    seal,
    unseal,
)
from shared_model.secure_aggregation.report import ReportProblem, from_words, length, to_words
from shared_model.secure_aggregation.session import MOST_SITES, Advert, Round, SessionProblem, content
from shared_model.secure_aggregation.shares import SHARE, restored, shared
from shared_model.secure_aggregation.stream import CHUNK, WORDS, add_mask, from_wire, to_wire

WEIGHTS = st.lists(st.integers(1, LARGEST_WEIGHT // MOST_SITES), min_size=3, max_size=MOST_SITES)


@settings(max_examples=300, deadline=None)
@given(WEIGHTS, st.integers(1, LARGEST_BOUND), st.sampled_from([16, 32]), st.randoms(use_true_random=False))
def test_the_sum_cannot_overflow_at_the_stated_bound(
    weights: list[int], bound: int, bits: int, random: Any
) -> None:
    """Whatever the sites send, as far as the bound in either direction, modulo 2**bits nothing is lost."""
    scale = Scale(bound, shift_for(sum(weights) * bound, len(weights), bits))
    extremes = np.array([1e9, -1e9, random.uniform(-1, 1) * bound * 2.0**-36, 0.0])
    total, exact = np.zeros(4, dtype=WORDS[bits]), [0] * 4
    for weight in weights:
        numbers = extremes * random.choice([1.0, 1.0, -1.0])
        numbers[:2] = extremes[:2]  # all sites in the same direction: the worst that there is
        whole, _ = encoded(numbers, scale, weight)
        total += whole.astype(total.dtype)
        exact = [a + int(b) for a, b in zip(exact, whole, strict=True)]
    assert [int(n) >> scale.shift for n in decoded(total, scale, (4,))] == exact
    assert max(map(abs, exact)) < 1 << (bits - 1)
    plain = sum(weights) * bound
    assert abs(exact[0] * (1 << scale.shift) - plain) <= len(weights) * (1 << scale.shift)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 2**20), st.integers(1, LARGEST_BOUND), st.integers(3, MOST_SITES))
def test_no_bit_of_the_field_is_given_away(weight: int, bound: int, sites: int) -> None:
    shift = shift_for(weight * bound, sites, 16)
    assert (weight * bound >> shift) + 1 + sites < 2**15
    if shift:
        assert (weight * bound >> (shift - 1)) + 1 + sites >= 2**15


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e-3, 1e-3), min_size=1, max_size=20), st.integers(1, 5000), st.integers(3, 30))
def test_a_number_is_rounded_by_half_a_unit_at_most(numbers: list[float], weight: int, sites: int) -> None:
    bound = round(2e-3 * 2**36)
    scale = Scale(bound, shift_for(sites * weight * bound, sites, 16))
    whole, cut_off = encoded(np.array(numbers), scale, weight)
    assert cut_off == 0
    back = whole.astype(np.float64) * 2.0**scale.shift
    exact = np.rint(np.array(numbers) * 2.0**36) * weight
    assert (np.abs(back - exact) <= 2.0 ** (scale.shift - 1)).all()


def test_what_is_not_finite_is_no_number_of_the_field() -> None:
    for number in (np.nan, np.inf, -np.inf):
        with pytest.raises(OverflowError):
            encoded(np.array([0.0, number]), Scale(100, 0), 1)


def test_scales_follow_from_what_everybody_holds(small_config: Callable[..., Config]) -> None:
    config = small_config("secure_aggregation.enabled=true", "federation.sites=3")
    base = {"a": np.full((3,), 2.0, np.float32), "weighting.b": np.zeros((1,), np.float32)}
    low, high = scales(config, base, 1e-4, 300, 3), scales(config, base, 1e-3, 300, 3)
    steps, decay = config.training.local_steps, config.training.weight_decay
    assert low["a"].bound == pytest.approx(2.0 * steps * 1e-4 * (1 + 2 * decay) * 2**36, rel=1e-6)
    assert high["a"].shift > low["a"].shift
    assert low == scales(config, {n: -a for n, a in base.items()}, 1e-4, 300, 3)
    for weight in (0, LARGEST_WEIGHT + 1):
        with pytest.raises(OverflowError, match="sum to at most"):
            scales(config, base, 1e-4, weight, 3)


@pytest.mark.parametrize("bits", [16, 32, 64])
@pytest.mark.parametrize("size", [0, 1, 7, CHUNK // 2 + 3, CHUNK + 1])
def test_masks_cancel_and_differ_by_seed_and_width(bits: int, size: int) -> None:
    seeds = [new_secret() for _ in range(3)]
    vector = np.zeros(size, WORDS[bits])
    for seed in seeds:
        add_mask(vector, seed, 1)
    for seed in reversed(seeds):
        add_mask(vector, seed, -1)
    assert not vector.any()
    if size > 6:
        one, other = (np.zeros(size, WORDS[bits]) for _ in range(2))
        add_mask(one, seeds[0], 1)
        add_mask(other, seeds[1], 1)
        assert (one != other).mean() > 0.9
        assert len(np.unique(one[:1000])) > min(size, 1000) * 0.9
    assert np.array_equal(from_wire(to_wire(vector), bits), vector)


@pytest.mark.parametrize(("threshold", "count"), [(2, 3), (3, 5), (6, 10)])
def test_enough_shares_give_the_secret_and_fewer_do_not(threshold: int, count: int) -> None:
    secret = new_secret()
    shares = shared(secret, threshold, count)
    assert {len(share) for share in shares} == {SHARE}

    def fits(found: bytes) -> bool:
        return found == secret

    assert restored(shares[-threshold:], threshold, fits) == secret
    assert restored(shares[: threshold - 1], threshold, fits) is None
    assert restored([*shares[:threshold], *shares[:1]], threshold, fits) == secret
    wrong = [bytes(SHARE), b"short", *shares[:threshold]]
    assert restored(wrong, threshold, fits) == secret
    assert restored([shares[0]] * threshold, threshold, fits) is None


def test_two_sites_agree_on_a_secret_that_nobody_else_has() -> None:
    one, other, third = (private_key(new_secret()) for _ in range(3))
    common = agreed(one, public_bytes(other))
    assert common == agreed(other, public_bytes(one))
    assert common != agreed(third, public_bytes(one))
    assert derived(common, "share", bytes(32)) != derived(common, "pair mask", bytes(32))
    assert derived(common, "share", bytes(32)) != derived(common, "share", bytes(31) + b"1")
    with pytest.raises(KeyProblem):
        agreed(one, bytes(32))  # of small order: everybody would know the secret


def test_what_is_sealed_opens_for_its_label_alone() -> None:
    key = derived(new_secret(), "share")
    sealed = seal(key, b"content", b"a to b")
    assert unseal(key, sealed, b"a to b") == b"content"
    wrong = [(sealed, b"b to a"), (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"a to b"), (b"", b"a to b")]
    for given_sealed, label in wrong:
        with pytest.raises(KeyProblem):
            unseal(key, given_sealed, label)


def validation(examples: int = 4) -> dict[str, Any]:
    return {"examples": examples, "loss_sum": 1.5, "confusion": {t: [[1] * 5] * 5 for t in ("icdr", "sdrg")}}


def test_a_report_comes_back_as_the_sum_of_reports() -> None:
    said = {"loss": 2.0, "losses": {"grading": 3.0}, "loss_weights": {}, "validation": validation()}
    words = to_words(said, 5, ["a", "b"], 7) + to_words(
        said | {"untrained": ["b"], "loss": 4.0}, 10, ["a", "b"]
    )
    assert words.size == length(2)
    told = from_words(words, 2, 15, ["a", "b"])
    assert told["weights"] == {"a": 15, "b": 5}
    assert told["cut_off"] == 7
    assert told["loss"] == pytest.approx((5 * 2 + 10 * 4) / 15, abs=1e-5)
    assert told["losses"] == {"grading": pytest.approx(3.0)}
    assert told["validation"]["confusion"]["icdr"] == [[2] * 5] * 5
    assert (told["validation"]["examples"], told["validation"]["loss_sum"]) == (8, 3.0)
    for sites, weight in ((1, 15), (3, 15), (2, 14)):
        with pytest.raises(ReportProblem, match="does not open to a sum"):
            from_words(words, sites, weight, ["a", "b"])


@pytest.mark.parametrize(
    "changed",
    [
        {"loss": float("nan")},
        {"loss": 1e9},
        {"loss": None},
        {"losses": {"grading": float("inf")}},
        {"validation": None},
        {"validation": validation(-1)},
        {"validation": validation() | {"loss_sum": 1e12}},
    ],
)
def test_a_report_that_would_spoil_the_sum_is_not_masked(changed: dict[str, Any]) -> None:
    said = {"loss": 1.0, "losses": {}, "loss_weights": {}, "validation": validation()}
    with pytest.raises(ReportProblem):
        to_words(said | changed, 5, ["a"])


ADVERT = Advert("s", Round("train", 1, "0" * 32), "site", 3, bytes(32), bytes(32), bytes(32))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(JSON, st.sampled_from(sorted(ADVERT.to_field())))
def test_no_content_of_an_advert_raises_anything_else(value: Any, key: str) -> None:
    for given_field in (value, ADVERT.to_field() | {key: value}):
        try:
            Advert.of(given_field)
        except SessionProblem:
            continue


def test_an_advert_survives_the_way_and_its_signature_is_of_all_of_it() -> None:
    assert Advert.of(ADVERT.to_field()) == ADVERT
    assert ADVERT.signed(b"x", "y").statement() == ADVERT.statement()
    for key, value in (("site", "other"), ("weight", 4), ("scope", "t"), ("tells", ["icdr"])):
        assert Advert.of(ADVERT.to_field() | {key: value}).statement() != ADVERT.statement()
    for tells in (["other"], ["sdrg", "icdr"], ["icdr", "icdr"], "icdr", None):
        with pytest.raises(SessionProblem, match="do not say what their site tells"):
            Advert.of(ADVERT.to_field() | {"tells": tells})
    with pytest.raises(SessionProblem):
        content("AAAA", 4)
