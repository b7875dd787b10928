"""A process that carries out a stored run over simulated sites and kills itself, as the machine would: without a word.

Arguments: the run's folder, the sites' workspace, where to die (receive, train, send, aggregate, checkpoint), in
which round.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from client.worker import simulated
from client.worker import worker as worker_module
from client.worker.simulated import ROOT_VARIABLE
from client.worker.worker import Worker
from server.checkpoint import Checkpoints
from server.strategies import ServerStrategy
from simulations.engines.inline import run_inline

SITES = 2


def lasting(*given: Any, **named: Any) -> Worker:
    """A simulated site that remembers its rounds as a deployed one does; by default a simulation begins anew."""
    return Worker(*given, **{**named, "resumable": True})


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies(real: Callable[..., Any], when: Callable[..., bool], *, after: bool = False) -> Callable[..., Any]:
    def wrapped(*given: Any, **named: Any) -> Any:
        found = real(*given, **named) if after else None
        if when(*given):
            die()
        return found if after else real(*given, **named)

    return wrapped


def arm(where: str, number: int) -> None:
    def second_site(worker: Worker, request: Any) -> bool:
        return worker.site == "site-2" and request.fields["round"] == number

    if where == "receive":
        Worker.train = dies(Worker.train, second_site)  # type: ignore[method-assign]
    elif where == "train":
        seen: list[int] = []

        def this_round(*given: Any) -> bool:
            seen.append(1)
            return len(seen) == SITES * number  # the second site's training of the round

        worker_module.train = dies(worker_module.train, this_round, after=True)  # type: ignore[attr-defined]
    elif where == "send":
        Worker.train = dies(Worker.train, second_site, after=True)  # type: ignore[method-assign]
    elif where == "aggregate":
        ServerStrategy.next_model = dies(ServerStrategy.next_model, lambda s, n, *_: n == number)  # type: ignore[method-assign]
    else:
        Checkpoints._put_in_place = dies(Checkpoints._put_in_place, lambda s, p, n: n == number)  # type: ignore[method-assign]


if __name__ == "__main__":
    folder, workspace, where, number = sys.argv[1:]
    os.environ[ROOT_VARIABLE] = workspace
    simulated.Worker = lasting  # type: ignore[assignment,misc]
    arm(where, int(number))
    run_inline(Path(folder), SITES, lambda record: None)
