"""Waiting until the coordinator takes this site's node: tried before Flower connects, as often as it takes.

A gateway that was killed said no farewell: for up to a minute its node is online, and Flower refuses the next gateway
and ends its process. It ends it also where the front refuses the certificate, which a renewal mends. So the node is
activated on trial first and given back at once. What stands in the way is said once, the pauses grow, and the kit is
read anew each time, so that renewed keys are taken up without a restart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.common.constant import HEARTBEAT_DEFAULT_INTERVAL
from flwr.proto.fleet_pb2 import ActivateNodeRequest, DeactivateNodeRequest
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from client.gateway.heartbeat import STILL_CONNECTED
from deploy.errors import Code, DeployError
from shared_model.errors import FedFundusError

log = logging.getLogger(__name__)

REPEATED = (
    3600.0  # seconds after which how this site stands is said again: `status` reads it, and logs are rotated
)
FIRST, LONGEST, GROWTH = 2.0, 60.0, 1.5  # seconds between trials, and what follows each that failed
STILL = 5.0  # seconds between trials then: it is over within a minute, and `start` waits for it
_WHY = {  # what the answer to a trial says of this site
    400: "its certificate is not taken: revoked, or out of date",
    401: "its node key is not registered, or this machine's clock is off",
    403: "its certificate and its node key do not belong together there",
}


@dataclass(frozen=True)
class Connection:
    """Where the SuperLink is reached, who is believed there, and the node's own key."""

    address: str
    root_certificates: str
    key: ec.EllipticCurvePrivateKey


def await_activation(kit: Callable[[], Connection], stop: threading.Event) -> Connection | None:
    """The connection that the node can be activated over; None where it was stopped first. kit: reads it anew."""
    pause, said, when = FIRST, "", 0.0
    while not stop.is_set():
        try:
            connection = kit()
            why = _tried(connection)
        except FedFundusError as error:  # a newer kit is being installed
            why = str(error)
        if not why:
            if said:
                log.info("the coordinator takes this site again")
            return connection
        if why != said or time.monotonic() - when > REPEATED:
            log.warning("%s; tried again in growing pauses of up to %g seconds", why, LONGEST)
            said, when = why, time.monotonic()
        stop.wait(min(pause, STILL) if why.startswith(STILL_CONNECTED) else pause)
        pause = min(LONGEST, pause * GROWTH)
    return None


def unauthorised(connection: Connection) -> bool:
    """Whether SuperLink does not know the node, or does not believe its clock."""
    return "(status 401)" in _tried(connection)


def _tried(connection: Connection) -> str:
    """Activate the node and give it back; what stands in the way, nothing where it worked."""
    public = connection.key.public_key()
    interceptors = (
        RuntimeVersionHttpInterceptor(component_name="SuperNode"),
        NodeAuthHttpInterceptor(connection.key, public),
    )
    request = ActivateNodeRequest(
        public_key=public_key_to_bytes(public), heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL
    )
    try:
        with FleetHttpClient.from_server_address(
            connection.address, False, connection.root_certificates, interceptors=interceptors
        ) as client:
            client.DeactivateNode(DeactivateNodeRequest(node_id=client.ActivateNode(request).node_id))
    except httpx.HTTPStatusError as error:
        return _refused(error.response)
    except (httpx.HTTPError, OSError, ValueError) as error:
        return f"the coordinator cannot be reached ({type(error).__name__}); fedfundus-site status says what was tried"
    return ""


def _refused(answer: httpx.Response) -> str:
    found = FlowerError.from_json(answer.text)
    if found is not None and found.code == ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED:
        return f"{STILL_CONNECTED}: another gateway of it runs, or one was killed"
    if answer.status_code >= 500:  # the proxy's word for a front that is not there
        return f"the coordinator cannot be reached (status {answer.status_code})"
    why = _WHY.get(answer.status_code, "for a reason that is not known")
    told = DeployError(
        Code.REFUSED, f"the coordinator refuses this site (status {answer.status_code}): {why}"
    )
    return f"{told}; see fedfundus-provision verify KIT, and ask whether the site was revoked"
