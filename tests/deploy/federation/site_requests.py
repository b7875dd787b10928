"""What a site says at the front, made from outside its gateway."""

from __future__ import annotations

import base64

from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.node_pb2 import Node

from deploy.pki.keys import node_header, read_node_key
from deploy.rehearsal.networks import COORDINATOR
from deploy.rehearsal.rehearsal import Rehearsal
from server.services.nodes import site_of_node


def heartbeat(federation: Rehearsal, site: str) -> str:
    """What a gateway says every half minute, base64."""
    nodes = site_of_node(federation.records(COORDINATOR))
    number = next(int(node) for node, name in nodes.items() if name == site)
    request = SendNodeHeartbeatRequest(node=Node(node_id=number), heartbeat_interval=30.0)
    return base64.b64encode(request.SerializeToString()).decode()


def node_key_shown(federation: Rehearsal, site: str) -> str:
    """The header that names a site's node key."""
    line = (federation.home(site) / "kit/certificates/node.pub").read_text()
    return node_header(read_node_key(line, ""))
