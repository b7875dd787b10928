"""The plain alternative: federated averaging as a loop in PyTorch, one model, a running sum, nothing else."""

from __future__ import annotations

import torch

from simulations.bench.toy.job import Job, State, make_model, train_client


def run_plain(job: Job) -> State:
    """The averaged model after the last round."""
    model = make_model(job)
    current = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for number in range(1, job.rounds + 1):
        total = {name: torch.zeros_like(tensor) for name, tensor in current.items()}
        weight = 0
        for client in range(job.clients):
            model.load_state_dict(current)
            samples = train_client(model, job, client, number)
            for name, tensor in model.state_dict().items():
                total[name].add_(tensor, alpha=samples)
            weight += samples
        current = {name: tensor.div_(weight) for name, tensor in total.items()}
    return current
