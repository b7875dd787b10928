"""The benchmarks by name, in the order in which they run.

A benchmark is a module of this package with one function, `measure(setting: Setting) -> Measured`. It is imported
and run in a process of its own (simulations.bench.running), so that none inherits another's memory, threads or
caches, and one that is ended for lack of memory costs only its own figures. To add one, write the module and name
it here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec

from shared_model.errors import ConfigError, RunError
from simulations.bench.figure import Measured
from simulations.bench.setting import Setting

Benchmark = Callable[[Setting], Measured]

# Name on the command line -> module. One that is not there yet is left out.
MODULES = {
    "step": "simulations.bench.step",
    "inference": "simulations.bench.inference",
    "simulation": "simulations.bench.efficiency",
    "sites": "simulations.bench.sites",
    "engine": "simulations.bench.engine",
    "aggregation": "simulations.bench.aggregation",
    "exchange": "simulations.bench.sent",
    "privacy": "simulations.bench.privacy",
    "secure": "simulations.bench.secure",
    "check": "simulations.bench.reading",
    "deployment": "simulations.bench.deployment",
    "profile": "simulations.bench.profile",
}

# What scripts may read of the JSON document: a benchmark that gives one of its figures another name has failed.
PROMISED = {
    "step": ("training_step.speedup", "training_step.speedup_fresh_augmentation"),
    "inference": ("inference.speedup_batch8",),
    "simulation": ("simulation.efficiency",),
    "sites": ("simulation.memory_ratio_1000_to_10",),
    "aggregation": ("aggregation.peak_ratio_30_to_3",),
    "exchange": ("exchange.bytes_up", "exchange.bytes_down"),
    "privacy": ("privacy.step_slowdown",),
    "deployment": ("deployment.idle_round_seconds",),
}


def names() -> list[str]:
    """Of the benchmarks that there are."""
    return [name for name, module in MODULES.items() if find_spec(module) is not None]


def chosen(only: Sequence[str]) -> list[str]:
    """Those of `only`, in our order; all where it is empty. Raises ConfigError for a name that is not one."""
    known = names()
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ConfigError(
            f"there is no benchmark {', '.join(unknown)}",
            where="--only",
            fix=f"use some of {', '.join(known)}",
        )
    return [name for name in known if not only or name in only]


def benchmark(name: str) -> Benchmark:
    """The function that measures it, which raises RunError where it lacks a figure that is promised."""
    measure: Benchmark = import_module(MODULES[name]).measure

    def checked(setting: Setting) -> Measured:
        found = measure(setting)
        lacking = set(PROMISED.get(name, ())) - {figure.name for figure in found.figures}
        if lacking:
            raise RunError(f"the benchmark {name} gave no {', '.join(sorted(lacking))}", where=MODULES[name])
        return found

    return checked
