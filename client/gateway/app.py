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
from client.gateway.kit import read_gateway_kit
from client.gateway.worker_client import WorkerClient
from client.privacy.secure_aggregation.signing import with_signature
from shared_model.errors import RunError
from shared_model.exchange.flower_records import PROBE
from shared_model.exchange.payload import Payload
from shared_model.secure_aggregation.session import ADVERT

SOCKET_VARIABLE, KIT_VARIABLE = "FEDFUNDUS_WORKER_SOCKET", "FEDFUNDUS_GATEWAY_KIT"


def signed(answer: Payload) -> Payload:
    """The worker's answer with this site's signature under its keys of a secure round; others as they are.

    Raises RunError or DataError where there are such keys and nothing to sign them with.
    """
    if ADVERT not in answer.fields:
        return answer
    kit = os.environ.get(KIT_VARIABLE)
    if not kit:
        raise RunError(
            "this site's gateway does not know its kit, whose key signs for the site",
            where=KIT_VARIABLE,
            fix="start it by fedfundus-site gateway",
        )
    found = read_gateway_kit(Path(kit))
    key, certificate = found.signing()
    return with_signature(answer, found.site, key, certificate)


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
    return forward(message, worker(), signed)


app = ClientApp()
app.train()(answer)
app.evaluate()(answer)
for _kind in sorted({*QUESTION_OF, PROBE}):
    if _kind.startswith("query."):
        app.query(_kind.removeprefix("query."))(answer)
