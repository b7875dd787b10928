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

from shared_model.errors import ConfigError
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
    """The function that measures it."""
    found: Benchmark = import_module(MODULES[name]).measure
    return found
