"""Telling SuperLink the nodes of the kit, and no others, over its control interface, which is on this machine alone.

What it was told is written down after each node, beside its own state, so that a start anew tells only what is left.
A node that left the kit is refused by the front already; where SuperLink cannot be told so now, that is kept, said,
and tried again by the next `start` or `status`. What was told and not written down is asked of SuperLink itself.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest, UnregisterNodeRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes

from server.errors import Code, CoordinatorError
from server.kit import read_kit
from server.services.nodes import keep_left, keep_told, left_nodes, site_of_key, told_nodes
from server.submitting import SuperLink, write_connection
from shared_model.files import naming_disk_errors

SECONDS = 120.0  # that SuperLink has to answer, on a machine that is busy
_UNREGISTERED = "unregistered"  # Flower's word for what it will never take again


def register_nodes(kit: Path, folder: Path) -> None:
    """Make SuperLink's nodes those of the kit, as far as it lets itself be told. folder: for what was told.

    Raises CoordinatorError where it does not take a node of the kit or does not answer; what it took is kept.
    """
    with _alone(folder):
        told, wanted = told_nodes(folder), _wanted(kit)
        new, gone = [key for key in wanted if not told.get(key)], [key for key in told if key not in wanted]
        keep_left(folder, gone)
        if not new and not gone:
            return
        superlink = read_kit(kit).superlink
        write_connection(folder / "flower", superlink)  # for a person's own look with Flower's commands
        with _client(superlink) as flower:
            known = flower.nodes()
            for key in new:
                told[key] = flower.register(key, known)
                keep_told(folder, told)
            _unregister(flower, known, folder)


def unregister_left(kit: Path, folder: Path) -> None:
    """Try again what a start could not unregister, and nothing else: a kit that is being installed decides nothing.

    Raises CoordinatorError where SuperLink does not answer.
    """
    with _alone(folder):
        if left_nodes(folder):
            with _client(read_kit(kit).superlink) as flower:
                _unregister(flower, flower.nodes(), folder)


def pending_nodes(folder: Path) -> list[str]:
    """What SuperLink has still to be told, a sentence each."""
    return [
        f"SuperLink still knows the node of {site_of_key(key)}, which left the kit (the front refuses it)"
        for key in left_nodes(folder)
    ]


def _unregister(flower: _Flower, known: dict[bytes, _Known], folder: Path) -> None:
    """Those that are left; each is written down as it is done."""
    told = told_nodes(folder)
    left = left_nodes(folder)
    for key in list(left):
        if flower.unregister(key, known):
            left.remove(key)
            told.pop(key, None)
            keep_told(folder, told)
            keep_left(folder, left)


def _wanted(kit: Path) -> list[str]:
    """The kit's node keys, each a line that ends with its site's name."""
    return [file.read_text(encoding="ascii").strip() for file in sorted((kit / "nodes").glob("*.pub"))]


@dataclass(frozen=True)
class _Known:
    """A node as SuperLink lists it."""

    number: str
    status: str


@dataclass(frozen=True)
class _Flower:
    """SuperLink's control interface. address: for messages."""

    client: ControlHttpClient
    address: str

    def nodes(self) -> dict[bytes, _Known]:
        """By public key."""
        until = time.monotonic() + SECONDS
        while True:
            try:
                found = self.client.ListNodes(ListNodesRequest()).nodes_info
                break
            except httpx.TransportError as error:  # it may have begun to listen only now
                if time.monotonic() > until:
                    raise self._refused("the question which nodes it knows", error) from None
                time.sleep(0.5)
            except (httpx.HTTPError, ValueError) as error:
                raise self._refused("the question which nodes it knows", error) from None
        return {node.public_key: _Known(str(node.node_id), node.status) for node in found}

    def register(self, key: str, known: dict[bytes, _Known]) -> str:
        """The node's number, also where SuperLink knew it before."""
        public = _public(key)
        if (before := known.get(public)) is not None:
            if before.status != _UNREGISTERED:
                return before.number
            raise CoordinatorError(
                Code.UNREACHABLE,
                f"the node key of {site_of_key(key)} was unregistered once, and SuperLink takes no key twice",
                where=self.address,
                fix=f"fedfundus-provision renew {site_of_key(key)} --new-keys, install the newer kits, start again",
            )
        try:
            request = RegisterNodeRequest(public_key=public, name=site_of_key(key))
            return str(self.client.RegisterNode(request).node_id)
        except (httpx.HTTPError, ValueError) as error:
            raise self._refused(f"the node of {site_of_key(key)}", error) from None

    def unregister(self, key: str, known: dict[bytes, _Known]) -> bool:
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


def _public(key: str) -> bytes:
    """A key's line as Flower stores it."""
    found = load_ssh_public_key(key.encode("ascii"))
    assert isinstance(found, ec.EllipticCurvePublicKey)
    return public_key_to_bytes(found)


@contextmanager
def _client(superlink: SuperLink) -> Iterator[_Flower]:
    certificates = superlink.certificates.read_bytes() if superlink.certificates else None
    with ControlHttpClient.from_server_address(
        superlink.address,
        certificates is None,
        certificates,
        interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr CLI")],
    ) as client:
        yield _Flower(client, superlink.address)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One command at a time: `status` may try what `start` is at."""
    path = folder / "nodes.lock"
    with naming_disk_errors(path):
        path.touch(mode=0o600)
    with path.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
