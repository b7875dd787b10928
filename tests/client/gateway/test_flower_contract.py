"""What the gateway uses of Flower is there, and what is delivered to it is never loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from client.gateway import contract
from client.gateway.contract import EXECUTOR, LOOP, Used
from shared_model.errors import RunError


@pytest.mark.parametrize("used", [LOOP, EXECUTOR], ids=["loop", "executor"])
def test_the_installed_flower_is_the_one_that_is_known(used: tuple[Used, ...]) -> None:
    assert contract.problems(used) == []


def test_flowers_connection_yields_its_calls_in_the_known_order() -> None:
    """They are told apart by their place alone."""
    import inspect

    from flwr.supernode import fleet_http_connection

    source = inspect.getsource(fleet_http_connection.http_request_response)
    yielded = source[source.rindex("yield (") :]
    names = [
        "node.node_id",
        "receive",
        "send",
        "get_run",
        "get_fab",
        "pull_object",
        "push_object",
        "confirm_message_received",
    ]
    places = [yielded.index(f"{name},") for name in names]
    assert places == sorted(places)


def test_another_release_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "version", lambda name: "1.42.0")
    with pytest.raises(RunError, match=r"Flower 1\.42\.0 is installed, 1\.41\.0 is known") as refused:
        contract.require(EXECUTOR)
    assert refused.value.fix == "install flwr==1.41.0, as constraints.txt says"


def test_what_is_gone_or_takes_something_else_is_named() -> None:
    gone = Used("flwr.supernode.fleet_http_connection", "no_such_function")
    changed = Used("flwr.supercore.heartbeat", "HeartbeatSender", ("heartbeat_fn", "interval"))
    assert contract.problems([gone]) == ["flwr.supernode.fleet_http_connection.no_such_function is not there"]
    assert contract.problems([changed]) == ["flwr.supercore.heartbeat.HeartbeatSender does not take interval"]


def test_the_gateway_loads_neither_torch_nor_a_word_of_the_sites_data_code() -> None:
    """It has no business with either: what cannot be imported cannot be made to read a photograph."""
    program = (
        "import sys, client.gateway.app, client.gateway.loop, client.gateway.executor, client.gateway.process\n"
        "found = [name for name in ('torch', 'pandas', 'PIL', 'timm', 'ray') if name in sys.modules]\n"
        "found += [name for name in sys.modules if name.startswith(('client.adapters', 'client.data'))]\n"
        "sys.exit(', '.join(found) or None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
