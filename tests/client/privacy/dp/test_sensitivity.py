"""One patient, whoever they are, moves the clipped sum by at most C (prototypes) or 2C (groups), in every step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from client.privacy.dp.step import on_grid

STEPS = 3
BOUND = {"prototypes": 1.0, "groups": 2.0}


def farthest(case: int, mode: str, make_training: Any, kit: SimpleNamespace, *overrides: str) -> float:
    """The largest distance over the steps of a random data set with and without one more patient."""
    generator = torch.Generator().manual_seed(case)
    count = int(torch.randint(0, 7, (), generator=generator))
    records = [record for name in range(count) for record in kit.ordinary(f"p{name}", generator)]
    kind = kit.HOSTILE[case % len(kit.HOSTILE)]
    extra = kit.hostile(kind, "extra", records or kit.ordinary("seen", generator), generator)
    place = int(torch.randint(0, len(records) + 1, (), generator=generator))
    of = kit.plan(mode, clip=float(10 ** torch.empty(1).uniform_(-3, 1, generator=generator)))
    worlds = kit.Worlds(
        make_training(records, of, *overrides, seed=case),
        make_training([*records[:place], *extra, *records[place:]], of, *overrides, seed=case),
    )
    found = max(float(worlds.step(number)) for number in range(STEPS))
    assert {world.takes_together for world in worlds.pair} == {
        mode == "prototypes" and overrides == kit.TOGETHER
    }
    assert worlds.same_weights()
    return found


LOSSES = (  # and TOGETHER of the conftest, the preset's: patients taken many at a time
    (),
    ("losses.weighting=softmax", "losses.contrastive_targets=identity"),
    ("losses.weighting=uncertainty",),
)


def ways(kit: SimpleNamespace) -> tuple[tuple[str, ...], ...]:
    """What is trained in turn."""
    return (*LOSSES, kit.TOGETHER)


@pytest.mark.parametrize("mode", BOUND)
@pytest.mark.parametrize("case", range(6))
def test_one_patient_moves_the_sum_by_no_more_than_the_bound(
    case: int, mode: str, make_training: Any, kit: SimpleNamespace
) -> None:
    assert farthest(case, mode, make_training, kit, *LOSSES[case % len(LOSSES)]) <= BOUND[mode]


@pytest.mark.parametrize("case", range(6))
def test_one_patient_moves_the_sum_by_no_more_where_patients_are_taken_together(
    case: int, make_training: Any, kit: SimpleNamespace
) -> None:
    assert farthest(case, "prototypes", make_training, kit, *kit.TOGETHER) <= BOUND["prototypes"]


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)  # with the thousand of `make soak`
@pytest.mark.parametrize("mode", BOUND)
def test_many_data_sets_keep_the_bound_and_reach_it(
    mode: str, make_training: Any, kit: SimpleNamespace, pytestconfig: pytest.Config
) -> None:
    cases = pytestconfig.getoption("--privacy-cases", None) or 60
    found = [
        farthest(case, mode, make_training, kit, *ways(kit)[case // len(kit.HOSTILE) % len(ways(kit))])
        for case in range(100, 100 + cases)
    ]
    assert max(found) <= BOUND[mode]
    assert max(found) > BOUND[mode] / 2  # the bound is reached, so the test could have failed


def test_a_contribution_is_never_longer_than_the_clipping_norm() -> None:
    generator = torch.Generator().manual_seed(0)
    for scale in (1e-30, 1e-3, 1.0, 1e3, 1e30):
        for clip in (1e-4, 1.0, 7.0):
            cells = on_grid(torch.randn(40, generator=generator) * scale, clip)
            assert sum(int(value) ** 2 for value in cells.tolist()) <= (2**30) ** 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_contribution_that_is_no_number_is_zero(value: float) -> None:
    assert not on_grid(torch.tensor([1.0, value, 1.0]), 1.0).any()
