"""The ClientApp of a deployed site: every question goes to the worker's socket.

Flower's own executor would load it by this name out of what the coordinator delivered; our executor imports it from
the installed package, and looks at nothing that was delivered.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from client.gateway.forward import QUESTION_OF, forward
from client.gateway.worker_client import WorkerClient
from shared_model.errors import RunError
from shared_model.exchange.flower_records import PROBE

SOCKET_VARIABLE = "FEDFUNDUS_WORKER_SOCKET"


@lru_cache(maxsize=1)
def worker() -> WorkerClient:
    """The worker at the socket that the environment names."""
    socket = os.environ.get(SOCKET_VARIABLE)
    if not socket:
        raise RunError(
            "this site's gateway does not know its worker",
            where=SOCKET_VARIABLE,
            fix="start it by fedfundus-site gateway",
        )
    return WorkerClient(Path(socket))


def answer(message: Message, context: Context) -> Message:
    """The worker's reply to any message."""
    return forward(message, worker())


app = ClientApp()
app.train()(answer)
app.evaluate()(answer)
for _kind in sorted({*QUESTION_OF, PROBE}):
    if _kind.startswith("query."):
        app.query(_kind.removeprefix("query."))(answer)
