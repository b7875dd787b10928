"""Between sites and coordinator lies a slow line: 50 ms each way and 10 Mbit/s for all, cut for a minute once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from fault_deployment import FRONT, NGINX, Deployment
from fault_record import Recorder
from fault_runs import wait_until
from slow_line import SlowLine

from shared_model.config import Config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed: the slow line was NOT tested"),
]
ROUNDS, CUT = 5, 60.0
SLACK = 60.0  # seconds beyond the cut: Flower tries anew at growing pauses of at most 20 s


@pytest.fixture(scope="module")
def line() -> Iterator[SlowLine]:
    found = SlowLine(0)
    yield found
    found.close()


@pytest.fixture(scope="module")
def federation(deployments: Callable[..., Deployment], line: SlowLine) -> Deployment:
    return deployments(upstream=line.port, on_ports=lambda ports: setattr(line, "target", ports[FRONT]))


@pytest.fixture(scope="module")
def config(small_config: Callable[..., Config]) -> Config:
    limits = ("federation.quorum=3", "federation.grace=600", "federation.silence=900")
    return small_config(
        f"federation.rounds={ROUNDS}", *limits, "training.early_stopping=0", "exchange.uplink=fp32"
    )


def test_five_rounds_over_a_slow_line(
    federation: Deployment, line: SlowLine, config: Config, recorder: Recorder
) -> None:
    began, before = time.monotonic(), line.upward
    federation.launch(config, "slow")
    assert federation.ended("slow").state == "finished", federation.everything("slow")
    assert all(len(row["sites"]) == 3 for row in federation.store.open("slow").history()[1:])
    sent = (line.upward - before) / 1e6
    whole = time.monotonic() - began
    said = f"all five rounds with all three sites, from launch to end {whole:.0f} s; {sent:.1f} MB came from the sites"
    recorder("line", "5 rounds at 50 ms each way and 10 Mbit/s", said, 0, None)


def test_a_cut_in_a_transfer_costs_that_transfer(
    federation: Deployment, line: SlowLine, config: Config, recorder: Recorder
) -> None:
    federation.launch(config, "cut")
    federation.complete("cut", 2)
    line.cut_in_a_transfer(CUT)
    wait_until(lambda: line.was_cut, "a transfer to be cut", 300)
    took = federation.recovered("cut", federation.fault("cut"), CUT + SLACK + 300)
    assert federation.ended("cut").state == "finished", federation.everything("cut")
    history = federation.store.open("cut").history()[1:]
    assert [row["round"] for row in history] == list(range(1, ROUNDS + 1))
    assert all(len(row["sites"]) == 3 for row in history)
    recorder(
        "line",
        f"the line is cut for {CUT:.0f} s in the middle of a transfer",
        "that round took longer",
        0,
        took,
    )
