"""The gateway's own loop over Flower's Fleet functions: pull a message, ask the worker, send its answer.

It stands in the place of a SuperNode and its executor. What the coordinator delivers is not even fetched, there is no
second process and no port, and the pauses between looks grow while nothing comes, where the SuperNode always sleeps
three seconds. Connection, signatures, heartbeats and retries are Flower's (client.gateway.contract).
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flwr.app import Message
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import pull_and_inflate_object_from_tree, push_objects
from flwr.supercore.run import RunNotRunningException
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.fleet_http_connection import http_request_response

from client.gateway.activation import REPEATED, Connection, await_activation, unauthorised
from client.gateway.heartbeat import Heartbeat

log = logging.getLogger(__name__)

SHORTEST, LONGEST, GROWTH = 0.05, 3.0, 1.5  # seconds between looks, and what follows each empty one
Answer = Callable[[Message], Message]
_UNSEEN = Heartbeat(None)


def run_loop(
    kit: Callable[[], Connection],
    answer: Answer,
    stop: threading.Event,
    heartbeat: Heartbeat = _UNSEEN,
) -> None:
    """Answer messages until `stop`. kit: where to, and with which key; read before each connection.

    heartbeat: is told whenever the coordinator was heard.
    """
    while (connection := await_activation(kit, stop)) is not None:
        try:
            _connected(connection, answer, stop, heartbeat)
        except RunNotRunningException:
            log.info("the front refused this site again at once")
        except KeyboardInterrupt:  # a person's, or Flower's own: it interrupts its process at a 401
            if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN or not unauthorised(connection):
                raise
        heartbeat.lost()
        stop.wait(LONGEST)  # reached only after a refusal or an error, which Flower has logged: connect anew


def _connected(connection: Connection, answer: Answer, stop: threading.Event, heartbeat: Heartbeat) -> None:
    with http_request_response(
        connection.address,
        False,
        connection.root_certificates,
        (connection.key, connection.key.public_key()),
    ) as calls:
        fleet = _Fleet(*calls)
        TaskIdentity.node_id, TaskIdentity.task_id = fleet.node_id, 0
        _serve(fleet, answer, stop, heartbeat)


@dataclass(frozen=True)
class _Fleet:
    """What Flower's connection yields, in its order."""

    node_id: int
    receive: Callable[[], Any]
    send: Callable[..., Any]
    get_run: Callable[..., Any]
    get_fab: Callable[..., Any]
    pull_object: Callable[[int, str], bytes]
    push_object: Callable[[int, str, str, bytes], None]
    confirm: Callable[[int, str], None]


def _serve(fleet: _Fleet, answer: Answer, stop: threading.Event, heartbeat: Heartbeat) -> None:
    """Until `stop`, or until this site is refused: to a question for messages no run is named that could have ended."""
    pause, said = SHORTEST, -math.inf
    heartbeat.heard()  # it has taken the node
    while not stop.wait(pause):
        if time.monotonic() - said > REPEATED:
            log.info("connected as node %s", fleet.node_id)
            said = time.monotonic()
        try:
            received = fleet.receive()
        except RunNotRunningException:  # Flower's word for any 403 that is not its own
            log.info("the front refused a question")
            return
        heartbeat.heard()
        if received is None:
            pause = min(LONGEST, pause * GROWTH)
            continue
        pause = SHORTEST
        try:
            with heartbeat.answering():
                _one(fleet, answer, *received)
        except RunNotRunningException:
            log.info("the run of a message has ended")


def _one(fleet: _Fleet, answer: Answer, announced: Message, tree: Any) -> None:
    """Answer one message."""
    run = announced.metadata.run_id
    log.info("received %s", announced.metadata.message_type)
    message = pull_and_inflate_object_from_tree(
        tree,
        lambda identity: fleet.pull_object(run, identity),
        lambda identity: fleet.confirm(run, identity),
        return_type=Message,
    )
    message.metadata.__dict__["_message_id"] = tree.object_id  # not among what is sent of a message
    TaskIdentity.run_id = run
    started = time.monotonic()
    reply = answer(message)
    _send(fleet, run, reply, time.monotonic() - started)
    log.info("answered %s", announced.metadata.message_type)


def _send(fleet: _Fleet, run: int, reply: Message, seconds: float) -> None:
    reply.metadata.__dict__["_message_id"] = reply.object_id
    with no_object_id_recompute():
        wanted, session = fleet.send(reply, get_object_tree(reply), seconds)
        push_objects(
            get_all_nested_objects(reply),
            lambda identity, content: fleet.push_object(run, session, identity, content),
            object_ids_to_push=wanted,
        )
