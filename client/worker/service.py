"""The worker's socket: gRPC over a Unix socket that only this user, or one group, may open.

One question is answered at a time, others wait for as long as their caller does; every call needs a deadline. Of an
error crosses the first sentence of our own messages or the exception's name, never a library's text: gRPC would send
it verbatim. What the operator needs of it is in the worker's own log.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from client.worker.calls import LONGEST_CALL, OPTIONS, SERVICE, UNEXPECTED, method
from client.worker.host import WorkerHost
from client.worker.parts import from_parts, to_parts
from client.worker.socket_file import SocketFile
from client.worker.worker_pb2 import Part, StatusAnswer, StatusRequest
from shared_model.errors import ConfigError, FedFundusError
from shared_model.run_plan import QUESTIONS, Question

log = logging.getLogger(__name__)

LONGEST_TOLD = 300  # characters of an error that cross
_THREADS = 8  # one answers, the others wait, report health and status


class Service:
    """The calls of worker.proto, in front of one site's worker."""

    def __init__(self, host: WorkerHost) -> None:
        self._host = host
        self._turn = threading.Lock()
        self._busy = ""

    def handlers(self) -> grpc.GenericRpcHandler:
        """Exactly the calls that worker.proto names."""
        calls: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            method(question): grpc.stream_stream_rpc_method_handler(
                self._asked(question),
                request_deserializer=Part.FromString,
                response_serializer=Part.SerializeToString,
            )
            for question in QUESTIONS
        }
        calls["Status"] = grpc.unary_unary_rpc_method_handler(
            self._status,
            request_deserializer=StatusRequest.FromString,
            response_serializer=StatusAnswer.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(SERVICE, calls)

    def _asked(self, question: Question) -> Callable[[Iterator[Part], grpc.ServicerContext], Iterator[Part]]:
        def call(parts: Iterator[Part], context: grpc.ServicerContext) -> Iterator[Part]:
            remaining = context.time_remaining()
            if remaining is None or remaining > LONGEST_CALL:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a call needs a deadline")
            if not self._turn.acquire(timeout=max(0.0, remaining)):
                context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the worker was busy until the deadline")
            try:
                self._busy = question
                answer = self._answer(question, parts, context)
            finally:
                self._busy = ""
                self._turn.release()
            yield from answer

        return call

    def _answer(
        self, question: Question, parts: Iterator[Part], context: grpc.ServicerContext
    ) -> Iterator[Part]:
        if not context.is_active():  # whoever waited for its turn has gone meanwhile
            context.abort(grpc.StatusCode.CANCELLED, "nobody waits for the answer")
        try:
            request = from_parts(parts, self._host.expected(question))
            answer = to_parts(self._host.answer(question, request))
            return chain(
                [next(answer)], answer
            )  # what cannot be sent is found with its header, and told as the rest is
        except FedFundusError as error:
            log.error("%s was refused: %s", question, error)
            told, code = _told(error), grpc.StatusCode.FAILED_PRECONDITION
        except Exception as error:
            log.exception("%s could not be answered", question)
            told, code = f"{UNEXPECTED} ({type(error).__name__})", grpc.StatusCode.INTERNAL
        _abort(context, code, told)

    def _status(self, request: StatusRequest, context: grpc.ServicerContext) -> StatusAnswer:
        try:
            return StatusAnswer(**self._host.status(), busy=self._busy)
        except FedFundusError as error:
            told = _told(error)
        except Exception as error:
            log.exception("the status could not be told")
            told = f"{UNEXPECTED} ({type(error).__name__})"
        _abort(context, grpc.StatusCode.FAILED_PRECONDITION, told)


def serve(host: WorkerHost, place: SocketFile) -> grpc.Server:
    """A started server at `place`, with gRPC's health service. Raises RunError where the socket cannot be made."""
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, "call"),
        options=[*OPTIONS, ("grpc.so_reuseport", 0)],
        maximum_concurrent_rpcs=_THREADS,
    )
    server.add_generic_rpc_handlers((Service(host).handlers(),))
    reporting = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(reporting, server)
    with place.closed_to_others():
        try:
            server.add_insecure_port(place.address)
        except RuntimeError:
            raise place.refused() from None
    place.open_to_group()
    server.start()
    reporting.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    return server


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, told: str) -> NoReturn:
    context.abort(code, told[:LONGEST_TOLD])


def _told(error: FedFundusError) -> str:
    """Of a configuration only that it does not fit, since its text quotes site.toml."""
    return "the site's configuration does not fit" if isinstance(error, ConfigError) else error.what
