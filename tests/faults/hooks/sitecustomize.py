"""Loaded by every Python process of a test federation: lets a test stop one at a named point, or make a site lie.

Python imports a module of this name by itself where its folder is on the path. With FEDFUNDUS_FAULTS unset it does
nothing. Points are functions of the product that are wrapped as their module is loaded; a file NAME.POINT in the
folder makes the process of that NAME wait there, so that a test can kill it, or another, at exactly that moment.
"""

import importlib.abc
import importlib.util
import json
import os
import sys
import time
from pathlib import Path

LONGEST = 120.0  # seconds that a process waits for a test that has gone
# Module -> function, by its path in the module -> the point that it is.
POINTS = {
    "client.gateway.loop": {"pull_and_inflate_object_from_tree": "receive", "push_objects": "send"},
    "client.worker.worker": {"train": "train"},
    "server.strategies.flower_bridge": {"ServerStrategy.next_model": "aggregate"},
}
MISBEHAVES = "client.worker.host"


def _waits(folder, name, point):
    """Wait here if a test asks for it, once."""
    asked, reached = folder / f"{name}.{point}", folder / f"{name}.{point}.reached"
    try:
        asked.rename(reached)
    except FileNotFoundError:
        return
    until = time.monotonic() + LONGEST
    while reached.exists() and time.monotonic() < until:
        time.sleep(0.02)


def _wrapped(original, folder, name, point):
    def call(*given, **named):
        _waits(folder, name, point)
        return original(*given, **named)

    return call


def _wrap(module, functions, folder, name):
    for path, point in functions.items():
        owner, _, function = path.rpartition(".")
        place = getattr(module, owner) if owner else module
        setattr(place, function, _wrapped(getattr(place, function), folder, name, point))


def _misbehaving(module, folder, name):
    original = module.WorkerHost.answer

    def answer(self, question, request):
        found = original(self, question, request)
        file = folder / f"{name}.misbehaves"
        if question != "train" or not file.exists():
            return found
        from misbehaviour import spoil

        return spoil(json.loads(file.read_text()), request, found, file)

    module.WorkerHost.answer = answer


class _Finder(importlib.abc.MetaPathFinder):
    """Finds as the others do, and wraps what was loaded."""

    def __init__(self, folder, name):
        self.folder, self.name, self.busy = folder, name, set()

    def find_spec(self, fullname, path, target=None):
        if fullname in self.busy or fullname not in (*POINTS, MISBEHAVES):
            return None
        self.busy.add(fullname)
        spec = importlib.util.find_spec(fullname)
        self.busy.discard(fullname)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            if fullname == MISBEHAVES:
                _misbehaving(module, self.folder, self.name)
            else:
                _wrap(module, POINTS[fullname], self.folder, self.name)

        spec.loader.exec_module = exec_module
        return spec


if folder := os.environ.get("FEDFUNDUS_FAULTS"):
    sys.meta_path.insert(0, _Finder(Path(folder), os.environ.get("FEDFUNDUS_FAULT_NAME", "coordinator")))
