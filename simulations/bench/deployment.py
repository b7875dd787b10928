"""An idle round of a deployed federation against stock Flower's: three sites that answer at once, nothing trained.

Ours has everything a hospital has (mutual TLS through both proxies, node keys, worker behind its socket, guard,
checkpoint and record on disk); Flower's has none of it and runs without TLS, which is to its advantage.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared_model.errors import RunError
from simulations.bench.deployment_ours import our_rounds
from simulations.bench.deployment_stock import stock_rounds
from simulations.bench.figure import Figure, Measured
from simulations.bench.setting import Setting

GOAL = 1.5  # seconds
SITES = 3
WARM = 2  # first rounds that do not count: connections are made, pauses have grown while processes started


def measure(setting: Setting) -> Measured:
    """Seconds a round of both, over rounds that follow each other."""
    rounds = 30 if setting.full else 10
    setting.say(f"ours: {rounds} rounds over {SITES} sites behind their proxies")
    ours, behind = our_rounds(setting.folder / "deployment-ours", SITES, rounds + WARM)
    stock_count = 8 if setting.full else 4
    setting.say(f"stock Flower: {stock_count} rounds over {SITES} SuperNodes")
    try:
        stock = stock_rounds(setting.folder / "deployment-stock", SITES, stock_count + 1)[1:]
    except RunError as error:
        setting.say(f"stock Flower is left out: {error}")
        stock = []
    return Measured(_figures(ours[WARM:], stock, behind))


def _figures(ours: Sequence[float], stock: Sequence[float], behind: str) -> list[Figure]:
    what = f"an idle round of {SITES} deployed sites {behind}, record and checkpoint included"
    figures = [
        Figure(
            "deployment.idle_round_seconds",
            tuple(ours),
            what,
            "s",
            GOAL,
            "lower",
            {"stock_flower": list(stock)},
        )
    ]
    if stock:
        told = f"an idle round of stock Flower: SuperLink and {SITES} SuperNodes without TLS, apps that do nothing"
        figures.append(Figure("deployment.idle_round_seconds_flower", tuple(stock), told, "s"))
    return figures
