"""The jobs themselves: how many clients, rounds and parameters, what a client holds and how it trains.

All contenders call these functions, so that they differ only in how models travel between clients and server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

INPUTS, CLASSES = 64, 10
State = dict[str, Tensor]


@dataclass(frozen=True)
class Job:
    """clients, rounds; width of both hidden layers; steps of `batch` samples a client a round."""

    clients: int
    rounds: int
    width: int
    steps: int
    batch: int


JOBS = {
    "tiny": Job(clients=10, rounds=10, width=128, steps=16, batch=32),  # 25 k parameters
    "big": Job(clients=3, rounds=5, width=4940, steps=3, batch=32),  # 25 M parameters
    "many": Job(clients=1000, rounds=1, width=128, steps=16, batch=32),
}


def make_model(job: Job) -> nn.Module:
    """A perceptron, the same for every caller."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(INPUTS, job.width),
        nn.ReLU(),
        nn.Linear(job.width, job.width),
        nn.ReLU(),
        nn.Linear(job.width, CLASSES),
    )


def train_client(model: nn.Module, job: Job, client: int, number: int) -> int:
    """Train on what client `client` holds, in round `number`; returns its number of samples, its weight."""
    generator = torch.Generator().manual_seed(client)
    samples = job.batch * job.steps
    inputs = torch.randn(samples, INPUTS, generator=generator)
    labels = torch.randint(0, CLASSES, (samples,), generator=generator)
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(1000 * number + client))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    model.train()
    for rows in torch.split(order, job.batch):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(inputs[rows]), labels[rows]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return samples


def digest(state: Mapping[str, Tensor]) -> float:
    """A number that tells two trained models apart."""
    return float(sum(tensor.double().abs().sum() for tensor in state.values()))
