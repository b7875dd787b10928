"""Knocks at a door as told on standard input (JSON) and prints what was answered: an HTTP status, or why there is none.

Run at a rehearsed machine, so it is a program of its own. keys: of a node, whose signed time goes along.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def headers(node_key: str, age: float, shown: str) -> dict[str, str]:
    """As a SuperNode signs a request, `age` seconds ago. shown: the key's header where it is to be another's."""
    with open(node_key, "rb") as stream:
        key = serialization.load_ssh_private_key(stream.read(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    timestamp = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    signature = key.sign(timestamp.encode("ascii"), ec.ECDSA(hashes.SHA256()))
    return {
        "flwr-public-key": shown or base64.b64encode(public).decode("ascii"),
        "flwr-timestamp": timestamp,
        "flwr-signature": base64.b64encode(signature).decode("ascii"),
    }


def main() -> None:
    """One request, one line."""
    told = json.load(sys.stdin)
    context = ssl.create_default_context(cafile=told["believed"])
    context.check_hostname = False
    if told.get("certificate"):
        context.load_cert_chain(told["certificate"], told["key"])
    signed = (
        headers(told["node_key"], told.get("age", 0.0), told.get("shown", "")) if told.get("node_key") else {}
    )
    sent = {"content-type": "application/protobuf", **signed, **told.get("headers", {})}
    try:
        connection = http.client.HTTPSConnection(told["host"], told["port"], timeout=20, context=context)
        connection.request("POST", told["path"], body=base64.b64decode(told.get("body", "")), headers=sent)
        print(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        print(type(error).__name__)


main()
