"""The gateway's end of the worker's socket.

A question and its answer are Payloads; whatever the worker could not do comes back as one sentence that is safe to
pass on. The worker is asked once: it waits for its turn there, and the coordinator decides what is asked again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from client.worker.calls import OPTIONS, SERVICE, UNEXPECTED, method
from client.worker.parts import from_parts, to_parts
from client.worker.worker_pb2 import Part, StatusAnswer, StatusRequest
from shared_model.errors import RunError
from shared_model.exchange.payload import Payload
from shared_model.run_plan import Question

PATIENCE = (
    24 * 3600.0
)  # seconds a question may take: a round of the full model on a small machine takes hours
LARGEST_ANSWER = 4 << 30  # bytes of tensors
_REACHED = 10.0  # seconds to open the socket
_FIX = "start it: fedfundus-site worker; and see that this user may open the socket (--socket-group)"


class WorkerProblem(RunError):
    """The worker's own words about why it does not answer: safe to pass on."""


@dataclass(frozen=True)
class WorkerStatus:
    """As worker.proto's StatusAnswer says."""

    site: str
    version: str
    package: str
    package_approved: bool
    plan: str
    run: str
    busy: str


class WorkerClient:
    """Questions to the worker at a socket. Close it, or use it in a `with`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._channel = grpc.insecure_channel(f"unix:{socket.absolute()}", options=OPTIONS)

    def ask(self, question: Question, request: Payload, *, patience: float = PATIENCE) -> Payload:
        """The worker's answer. patience: seconds.

        Raises WorkerProblem with what the worker says, RunError where it cannot be reached or has gone.
        """
        call = self._channel.stream_stream(
            f"/{SERVICE}/{method(question)}",
            request_serializer=Part.SerializeToString,
            response_deserializer=Part.FromString,
        )
        self._require_reachable()
        gone = threading.Event()  # ends the reading of the request where the call has ended
        try:
            return from_parts(call(_until(gone, to_parts(request)), timeout=patience), LARGEST_ANSWER)
        except grpc.RpcError as error:
            raise self._problem(error) from None
        finally:
            gone.set()

    def status(self, *, patience: float = _REACHED) -> WorkerStatus:
        """What the worker says of itself, also while it answers a question. Raises as `ask`."""
        call = self._channel.unary_unary(
            f"/{SERVICE}/Status",
            request_serializer=StatusRequest.SerializeToString,
            response_deserializer=StatusAnswer.FromString,
        )
        self._require_reachable()
        try:
            found = call(StatusRequest(), timeout=patience)
        except grpc.RpcError as error:
            raise self._problem(error) from None
        return WorkerStatus(
            found.site,
            found.version,
            found.package,
            found.package_approved,
            found.plan,
            found.run,
            found.busy,
        )

    def serving(self) -> bool:
        """What gRPC's health service says; False where nobody answers."""
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        try:
            answer = health_pb2_grpc.HealthStub(self._channel).Check(request, timeout=_REACHED)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """Let go of the socket."""
        self._channel.close()

    def __enter__(self) -> WorkerClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _require_reachable(self) -> None:
        if not self._socket.exists():  # said at once, where gRPC would try for seconds
            raise self._unreachable()

    def _problem(self, error: grpc.RpcError) -> RunError:
        code, details = error.code(), error.details() or ""
        if code is grpc.StatusCode.FAILED_PRECONDITION or details.startswith(UNEXPECTED):
            return WorkerProblem(details, fix="see the worker's log")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return RunError("the worker did not answer in time", fix="see the worker's log")
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return RunError(
                "the worker is of another release", fix="install the same release for both processes"
            )
        return self._unreachable()

    def _unreachable(self) -> RunError:
        return RunError("this site's worker cannot be reached", where=str(self._socket), fix=_FIX)


def _until(gone: threading.Event, parts: Iterator[Part]) -> Iterator[Part]:
    for part in parts:
        if gone.is_set():
            return
        yield part
