"""SuperLink's control interface as far as it is about nodes: listed, registered, unregistered.

It listens on this machine alone. A look that must not take long gives a limit, which holds for all its questions
together. A key that SuperLink will never take is told apart from a SuperLink that does not answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest, UnregisterNodeRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext

from server.errors import Code, CoordinatorError
from server.services.nodes import site_of_key
from server.submitting import SuperLink

SECONDS = 120.0  # that SuperLink has to answer at first, on a machine that is busy
_UNREGISTERED = "unregistered"  # Flower's word for what it will never take again


@dataclass(frozen=True)
class Known:
    """A node as SuperLink lists it."""

    number: str
    status: str


@dataclass(frozen=True)
class Control:
    """The interface of one SuperLink. address: for messages. until: when the first answer must be there (monotonic)."""

    client: ControlHttpClient
    address: str
    until: float

    def nodes(self) -> dict[bytes, Known]:
        """By public key. Raises CoordinatorError where there is no answer in time."""
        while True:
            try:
                found = self.client.ListNodes(ListNodesRequest()).nodes_info
                break
            except httpx.TransportError as error:  # it may have begun to listen only now
                if time.monotonic() > self.until:
                    raise self._refused("the question which nodes it knows", error) from None
                time.sleep(0.5)
            except (httpx.HTTPError, ValueError) as error:
                raise self._refused("the question which nodes it knows", error) from None
        return {node.public_key: Known(str(node.node_id), node.status) for node in found}

    def register(self, key: str, known: dict[bytes, Known]) -> str | None:
        """The node's number, also where SuperLink knew it before. None for a key that it will never take.

        Raises CoordinatorError where it does not answer, or refuses for another reason.
        """
        public = _public(key)
        if (before := known.get(public)) is not None:
            return None if before.status == _UNREGISTERED else before.number
        try:
            request = RegisterNodeRequest(public_key=public, name=site_of_key(key))
            return str(self.client.RegisterNode(request).node_id)
        except (httpx.HTTPError, ValueError) as error:
            raise self._refused(f"the node of {site_of_key(key)}", error) from None

    def unregister(self, key: str, known: dict[bytes, Known]) -> bool:
        """Whether SuperLink counts the node no more."""
        before = known.get(_public(key))
        if before is None or before.status == _UNREGISTERED:
            return True
        try:
            self.client.UnregisterNode(UnregisterNodeRequest(node_id=int(before.number)))
        except httpx.HTTPStatusError as error:
            told = FlowerError.from_json(error.response.text)
            return told is not None and told.code == ApiErrorCode.NODE_NOT_FOUND
        except (httpx.HTTPError, ValueError):
            return False
        return True

    def _refused(self, what: str, error: Exception) -> CoordinatorError:
        why = type(error).__name__
        if isinstance(error, httpx.HTTPStatusError):
            told = FlowerError.from_json(error.response.text)
            why = told.message if told else f"status {error.response.status_code}"
        return CoordinatorError(
            Code.UNREACHABLE,
            f"the SuperLink did not take {what}: {why:.300}",
            where=self.address,
            fix="see its log (services/superlink.log in the store), then start again",
        )


class _Limit:
    """No question to SuperLink takes longer than until `until`: Flower's client gives each of them half a minute."""

    def __init__(self, until: float) -> None:
        self._until = until

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpx.ReadTimeout("no time is left", request=context.request)
        context.request.extensions["timeout"] = httpx.Timeout(left).as_dict()
        return call_next(context)


@contextmanager
def control(superlink: SuperLink, limit: float | None = None) -> Iterator[Control]:
    """The interface of a SuperLink. limit: seconds for all questions together; by default only the first answer has
    a limit, since a thousand sites take their time.
    """
    certificates = superlink.certificates.read_bytes() if superlink.certificates else None
    until = time.monotonic() + (SECONDS if limit is None else limit)
    with ControlHttpClient.from_server_address(
        superlink.address,
        certificates is None,
        certificates,
        interceptors=[
            RuntimeVersionHttpInterceptor(component_name="flwr CLI"),
            *([] if limit is None else [_Limit(until)]),
        ],
    ) as client:
        yield Control(client, superlink.address, until)


def _public(key: str) -> bytes:
    """A key's line as Flower stores it."""
    found = load_ssh_public_key(key.encode("ascii"))
    assert isinstance(found, ec.EllipticCurvePublicKey)
    return public_key_to_bytes(found)
