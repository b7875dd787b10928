"""What a test does with the runs of a federation of real processes, and how it holds one at a point of a round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployed import PATIENCE, ROOT, Site

from server.kit import Kit
from server.launching import hand_over, launch_run
from server.store.runs import RunRow, RunStore
from shared_model.config import Config


def wait_until(
    true: Callable[[], Any], what: str, seconds: float = PATIENCE, log: Callable[[], str] = str
) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"waited in vain for {what}\n{log()}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Fault:
    """When something was done to a run, and how many of its rounds were complete then."""

    at: float
    complete: int


class Runs:
    """The part of Deployment that speaks of runs."""

    store: RunStore
    sites: dict[str, Site]
    kits: Path

    @property
    def kit(self) -> Kit:
        raise NotImplementedError

    faults: Path

    def everything(self, run: str) -> str:
        raise NotImplementedError

    def launch(self, config: Config, run: str) -> None:
        """Hand a run over whose plan every site's operator has approved."""
        launch_run(self.store, config, name=run, kit=self.kit, canary=False)
        for site in self.sites.values():
            self._approve(site, run)
        hand_over(self.store, run, self.kit.superlink)

    def _approve(self, site: Site, run: str) -> None:
        from shared_model.run_plan import SignedPlan

        plan = json.loads((self.store.folder / "runs" / run / "plan.json").read_text())
        site.approvals().approve_plan(SignedPlan.of(plan))

    def coordinator(self, *given: str) -> subprocess.CompletedProcess[str]:
        """`fedfundus-coordinator`, as an operator types it."""
        return subprocess.run(
            [sys.executable, "-m", "server", *given, "--store", str(self.store.folder)],
            cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip

    def resume(self, run: str) -> None:
        kit = str(self.kits / "coordinator")
        done = self.coordinator("resume", run, "--kit", kit, "--detach")
        assert done.returncode == 0, done.stderr + self.everything(run)

    def row(self, run: str) -> RunRow:
        return self.store.row(run)

    def complete(self, run: str, rounds: int, seconds: float = PATIENCE) -> None:
        """Wait until so many rounds are in the model."""
        wait_until(
            lambda: self.row(run).complete >= rounds, f"round {rounds}", seconds, lambda: self.everything(run)
        )

    def fault(self, run: str) -> Fault:
        """Now."""
        return Fault(time.monotonic(), self.row(run).complete)

    def recovered(self, run: str, fault: Fault, seconds: float = PATIENCE, *, hit: int = 0) -> float:
        """Seconds from the fault until the round that it hit and the next one were complete, all restarts included.

        hit: that round, where it is known; otherwise the one that was under way.
        """
        self.complete(run, (hit or fault.complete + 1) + 1, seconds)
        return time.monotonic() - fault.at

    def ended(self, run: str, seconds: float = PATIENCE) -> RunRow:
        wait_until(
            lambda: self.row(run).state not in ("submitted", "running"),
            "the end",
            seconds,
            lambda: self.everything(run),
        )
        return self.row(run)

    @contextmanager
    def held(self, name: str, point: str) -> Iterator[None]:
        """Within, the process of `name` stands still at `point` of a round."""
        asked, reached = self.faults / f"{name}.{point}", self.faults / f"{name}.{point}.reached"
        asked.touch()
        try:
            wait_until(reached.exists, f"{name} at {point}")
            yield
        finally:
            asked.unlink(missing_ok=True)
            reached.unlink(missing_ok=True)

    @contextmanager
    def misbehaving(self, name: str, kind: str) -> Iterator[None]:
        """Within, the worker of `name` answers a round as `hooks.misbehaviour` says."""
        file = self.faults / f"{name}.misbehaves"
        file.write_text(json.dumps(kind))
        try:
            yield
        finally:
            file.unlink()
