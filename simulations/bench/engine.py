"""The inline engine on toy jobs, against a plain PyTorch loop and, where it starts, stock Flower over Ray.

Each contender is a process of its own, in turn, so that a neighbour's load falls on all alike; what is compared is
the whole process, start-up included, as a user waits for it. The job alone stands beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from shared_model.errors import RunError
from simulations.bench.alone import measured_alone
from simulations.bench.figure import Figure, Measured
from simulations.bench.setting import Setting
from simulations.bench.toy.job import JOBS

TOY = "simulations.bench.toy"
GOALS = {"tiny": 0.90, "big": 0.95}
MANY = 1.15  # at most this many times the plain loop's time and memory
RAY_SECONDS = 600.0
WORDS = {
    "tiny": "10 clients x 10 rounds, 25 k parameters",
    "big": "3 clients x 5 rounds, 25 M parameters",
    "many": "1,000 clients in one round, 25 k parameters",
}
Runs = dict[str, list[dict[str, Any]]]


def measure(setting: Setting) -> Measured:
    """The three jobs; Ray on the two small ones, once."""
    figures: list[Figure] = []
    for job in JOBS:
        repeats = 1 if job == "many" and not setting.full else setting.repeats
        contenders = ("plain", "inline", "recycled") if job == "big" else ("plain", "inline")
        runs = _in_turn(job, contenders, repeats, setting)
        ray = _ray(job, setting) if job != "many" or setting.full else []
        figures += _many(runs, ray) if job == "many" else _efficiency(job, runs, ray)
    return Measured(figures)


def _in_turn(job: str, contenders: Sequence[str], repeats: int, setting: Setting) -> Runs:
    runs: Runs = {contender: [] for contender in contenders}
    for number in range(repeats):
        for contender in contenders:
            setting.say(f"{WORDS[job]}: {contender}, run {number + 1} of {repeats}")
            runs[contender].append(measured_alone(TOY, [contender, job]))
    if len({run["digest"] for own in runs.values() for run in own}) != 1:
        raise RunError(f"the contenders of job {job} trained different models", where=TOY)
    return runs


def _ray(job: str, setting: Setting) -> list[dict[str, Any]]:
    """Stock Flower over Ray; nothing where Ray does not start."""
    setting.say(f"{WORDS[job]}: stock Flower over Ray, once")
    try:
        return [measured_alone(TOY, ["ray", job], patience=RAY_SECONDS)]
    except RunError as error:
        setting.say(f"left out: {error}")
        return []


def _efficiency(job: str, runs: Runs, ray: list[dict[str, Any]]) -> list[Figure]:
    details = {**runs, "ray": ray}
    plain = statistics.median(run["wall_seconds"] for run in runs["plain"])
    what = f"{WORDS[job]}: plain PyTorch loop over the inline engine"
    figures = [
        Figure(
            f"engine.{job}",
            _ratios(runs, "wall_seconds"),
            f"{what}, the whole process",
            "",
            GOALS[job],
            details=details,
        ),
        Figure(f"engine.{job}_job_alone", _ratios(runs, "seconds"), f"{what}, without start-up", ""),
    ]
    if "recycled" in runs:
        how = "whose client app takes the memory of its copies from engines.recycled"
        ratios = _ratios(runs, "wall_seconds", "recycled")
        figures.append(Figure(f"engine.{job}_recycled", ratios, f"{what}, {how}", "", GOALS[job]))
    if ray:
        shares = tuple(plain / run["wall_seconds"] for run in ray)
        what = f"{WORDS[job]}: plain PyTorch loop over stock Flower with Ray, the whole process"
        figures.append(Figure(f"engine.{job}_flower_ray", shares, what, ""))
    return figures


def _many(runs: Runs, ray: list[dict[str, Any]]) -> list[Figure]:
    what = f"{WORDS['many']}: inline engine over the plain PyTorch loop"
    times = tuple(1 / ratio for ratio in _ratios(runs, "wall_seconds"))
    memory = tuple(1 / ratio for ratio in _ratios(runs, "peak_bytes"))
    return [
        Figure("engine.many_time", times, f"{what}, time", "x", MANY, "lower", {**runs, "ray": ray}),
        Figure("engine.many_memory", memory, f"{what}, peak memory", "x", MANY, "lower"),
    ]


def _ratios(runs: Runs, key: str, ours: str = "inline") -> tuple[float, ...]:
    """plain / ours of every pair of runs."""
    return tuple(plain[key] / own[key] for plain, own in zip(runs["plain"], runs[ours], strict=True))
