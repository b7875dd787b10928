"""Takes tasks from a SuperNode in process isolation, in one process that stays, and answers them with our own app.

Flower's executor starts a process a message and runs in it what the coordinator delivered. This one asks the
SuperNode's Runtime API for a task, takes the message out of it, gives it to the installed ClientApp and hands the reply
back; the delivered archive comes with the task and is not so much as unpacked. Flower's own functions do the carrying
(client.gateway.contract says which).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import httpx
from flwr.app import Context, Error, Message
from flwr.common.constant import ErrorCode, SubStatus
from flwr.proto.runtime_pb2 import AcquireTaskRequest, SendTaskHeartbeatRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.heartbeat import HeartbeatSender
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.protobuf.client import ProtobufClientInterceptor
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supernode.runtime.run_clientapp import pull_task_input, push_message, push_task_output

log = logging.getLogger(__name__)

App = Callable[[Message, Context], Message]
SHORTEST, LONGEST = 0.05, 0.5  # seconds between two looks for a task
_SIGNED = frozenset({"/flwr.proto.Runtime/AcquireTask"})


class Executor:
    """address: host:port of the SuperNode's Runtime API. secret: shared with it. certificates: PEM; None for no TLS."""

    def __init__(self, app: App, address: str, secret: bytes, certificates: bytes | None) -> None:
        self._app = app
        self._address = address
        self._certificates = certificates
        signed = SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods=_SIGNED)
        self._client = self._connect(signed)

    def run(self, stop: threading.Event) -> None:
        """Answer tasks until `stop`, one at a time."""
        pause = SHORTEST
        while not stop.wait(pause):
            token = self._acquired()
            if token:
                self._answer(token)
            pause = SHORTEST if token else min(LONGEST, pause * 1.5)
        self._client.close()

    def _acquired(self) -> str:
        """The token of a task of ours, "" where none waits."""
        try:
            found = self._client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.CLIENT_APP]))
        except (httpx.HTTPError, ValueError) as error:
            log.warning("the SuperNode does not answer (%s)", type(error).__name__)
            return ""
        return str(found.token) if found.HasField("task") else ""

    def _answer(self, token: str) -> None:
        client = self._connect(RuntimeTokenHttpInterceptor(token))
        heartbeats = HeartbeatSender(lambda: _heartbeat(client))
        heartbeats.start()
        try:
            message, context, _, _ = pull_task_input(client)  # the last is what was delivered
            push_message(client, self._reply(message, context), context)
            push_task_output(client, context, SubStatus.COMPLETED, "")
        except Exception as error:  # whatever it was, the next task is answered
            # The SuperNode tells the coordinator once the heartbeats have stopped.
            log.error("a task was not answered (%s)", type(error).__name__)
        finally:
            heartbeats.stop()
            client.close()

    def _reply(self, message: Message, context: Context) -> Message:
        try:
            return self._app(message, context)
        except Exception as error:
            log.exception("the app failed")
            told = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, f"error at the site ({type(error).__name__})")
            return Message(told, reply_to=message)

    def _connect(self, interceptor: ProtobufClientInterceptor) -> RuntimeHttpClient:
        return RuntimeHttpClient.from_server_address(
            self._address,
            self._certificates is None,
            self._certificates,
            [RuntimeVersionHttpInterceptor(component_name="flwr-clientapp"), interceptor],
        )


def _heartbeat(client: RuntimeHttpClient) -> bool:
    """Unlike Flower's, which ends its process where the task is no longer wanted: this process stays."""
    try:
        client.SendTaskHeartbeat(SendTaskHeartbeatRequest())
    except httpx.HTTPError:
        return False
    return True
