"""The node keys are what the installed Flower takes: read with its own functions, sent in its own header."""

from __future__ import annotations

import argparse
import base64

import httpx
import pytest
from kit_makers import FEDERATION

from deploy.pki.keys import node_header, read_node_key
from deploy.provision import Workplace

pytest.importorskip("flwr")

from flwr.cli.supernode.register import try_load_public_key
from flwr.supercore.primitives.asymmetric import bytes_to_public_key, public_key_to_bytes, uses_nist_ec_curve
from flwr.supernode.cli.flower_supernode import _try_setup_client_authentication


def test_the_supernode_and_the_registration_agree_on_every_key(untouched: Workplace) -> None:
    for site in ("moema", "santos"):
        public = try_load_public_key(untouched.out / "coordinator" / "nodes" / f"{site}.pub")
        arguments = argparse.Namespace(
            auth_supernode_private_key=str(untouched.out / site / "keys" / "node.key"),
            auth_supernode_public_key=None,
        )
        pair = _try_setup_client_authentication(arguments)
        assert pair is not None
        assert public_key_to_bytes(pair[1]) == public
        assert uses_nist_ec_curve(bytes_to_public_key(public))
        assert site in FEDERATION


def test_the_header_is_the_one_that_a_supernode_sends(untouched: Workplace) -> None:
    from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

    key_file = untouched.out / "moema" / "keys" / "node.key"
    arguments = argparse.Namespace(auth_supernode_private_key=str(key_file), auth_supernode_public_key=None)
    pair = _try_setup_client_authentication(arguments)
    assert pair is not None
    request = httpx.Request("POST", "http://127.0.0.1/v1/fleet/ping")
    context = argparse.Namespace(request=request)
    NodeAuthHttpInterceptor(*pair).intercept(context, lambda given: None)  # type: ignore[arg-type, return-value]
    line = (untouched.out / "moema" / "certificates" / "node.pub").read_text()
    assert request.headers["flwr-public-key"] == node_header(read_node_key(line, ""))
    sites = (untouched.out / "coordinator" / "front" / "sites.map").read_text()
    assert request.headers["flwr-public-key"].replace("+", "[+]") in sites
    assert base64.b64decode(request.headers["flwr-public-key"]).startswith(b"-----BEGIN PUBLIC KEY-----")
