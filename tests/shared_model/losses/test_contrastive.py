from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model.losses import contrastive_loss


def by_hand(
    a: list[list[float]], b: list[list[float]], temperature: float, target: list[list[float]]
) -> float:
    """Both directions' cross-entropies with plain floats."""

    def unit(v: list[float]) -> list[float]:
        length = math.sqrt(sum(x * x for x in v))
        return [x / length for x in v]

    a, b = [unit(v) for v in a], [unit(v) for v in b]
    score = [[sum(x * y for x, y in zip(u, v, strict=True)) / temperature for v in b] for u in a]
    columns = [list(column) for column in zip(*score, strict=True)]
    total = 0.0
    for rows in (score, columns):
        for i, row in enumerate(rows):
            normaliser = math.log(sum(math.exp(s) for s in row))
            total += sum(t * (normaliser - s) for t, s in zip(target[i], row, strict=True)) / len(rows)
    return total / 2


A = [[1.0, 2.0], [0.5, -1.0], [-3.0, 0.2]]
B = [[0.3, 1.0], [2.0, -0.1], [-1.0, -1.0]]
IDENTITY = [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_the_loss_is_the_papers_formula(temperature: float) -> None:
    found = contrastive_loss(torch.tensor(A), torch.tensor(B), temperature)
    assert float(found) == pytest.approx(by_hand(A, B, temperature, IDENTITY), rel=1e-5)


def test_soft_targets_spread_over_samples_of_one_note() -> None:
    soft = [[0.5, 0, 0.5], [0, 1.0, 0], [0.5, 0, 0.5]]
    found = contrastive_loss(torch.tensor(A), torch.tensor(B), 0.5, group=torch.tensor([4, 9, 4]))
    assert float(found) == pytest.approx(by_hand(A, B, 0.5, soft), rel=1e-5)


def test_distinct_groups_are_the_identity() -> None:
    a, b = torch.randn(5, 8), torch.randn(5, 8)
    assert torch.allclose(contrastive_loss(a, b, 0.07), contrastive_loss(a, b, 0.07, torch.arange(5)))


def test_soft_targets_do_not_push_equal_notes_apart() -> None:
    text = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    image = text.clone()
    group = torch.tensor([0, 0, 1])
    hard, soft = contrastive_loss(image, text, 0.07), contrastive_loss(image, text, 0.07, group)
    # Two photographs of one note cannot be told apart: log 2 for each is the least that either target allows.
    assert float(hard) == pytest.approx(2 / 3 * math.log(2), abs=1e-4)
    assert float(soft) == pytest.approx(2 / 3 * math.log(2), abs=1e-4)
    apart = image + torch.tensor([[0.0, 0.3], [0.0, -0.3], [0.0, 0.0]])
    assert contrastive_loss(apart, text, 0.07, group) > soft


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 1000), st.floats(0.1, 100))
def test_the_loss_is_symmetric_and_blind_to_length_and_order(n: int, seed: int, factor: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(n, 4, generator=generator), torch.randn(n, 4, generator=generator)
    order = torch.randperm(n, generator=generator)
    loss = contrastive_loss(a, b, 0.2)
    assert torch.allclose(loss, contrastive_loss(b, a, 0.2), atol=1e-5)
    assert torch.allclose(loss, contrastive_loss(a * factor, b, 0.2), atol=1e-4)
    assert torch.allclose(loss, contrastive_loss(a[order], b[order], 0.2), atol=1e-5)
