"""Waiting until the SuperLink takes a node that it still counts as connected.

A gateway that was killed said no farewell: for up to a minute its node is online, and Flower refuses the next gateway
and ends its process. So the node is activated on trial first, as often as it takes, and given back at once. A
SuperLink that cannot be reached, or refuses for another reason, is left to Flower's own connection to deal with.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import httpx
from flwr.common.constant import HEARTBEAT_DEFAULT_INTERVAL, HEARTBEAT_PATIENCE
from flwr.proto.fleet_pb2 import ActivateNodeRequest, DeactivateNodeRequest
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

if TYPE_CHECKING:
    from client.gateway.loop import Connection

log = logging.getLogger(__name__)

LONGEST = (
    1.5 * HEARTBEAT_PATIENCE * HEARTBEAT_DEFAULT_INTERVAL
)  # seconds; then it is refused for something else
PAUSE = 2.0


def await_activation(connection: Connection, stop: threading.Event) -> None:
    """Return once the node can be activated, or there is no more sense in waiting."""
    public = connection.key.public_key()
    request = ActivateNodeRequest(
        public_key=public_key_to_bytes(public), heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL
    )
    interceptors = (
        RuntimeVersionHttpInterceptor(component_name="SuperNode"),
        NodeAuthHttpInterceptor(connection.key, public),
    )
    until = time.monotonic() + LONGEST
    told = False
    with FleetHttpClient.from_server_address(
        connection.address, False, connection.root_certificates, interceptors=interceptors
    ) as client:
        while not stop.is_set() and time.monotonic() < until:
            try:
                client.DeactivateNode(DeactivateNodeRequest(node_id=client.ActivateNode(request).node_id))
                return
            except httpx.HTTPStatusError as error:
                if not _counted_as_connected(error):
                    return
            except httpx.HTTPError:
                return
            if not told:
                log.info("this site still counts as connected: another gateway of it runs, or one was killed")
            told = True
            stop.wait(PAUSE)


def _counted_as_connected(error: httpx.HTTPStatusError) -> bool:
    found = FlowerError.from_json(error.response.text)
    return found is not None and found.code == ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED
