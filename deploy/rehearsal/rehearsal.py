"""A federation of real processes that a test can lead by the hand: every step is a user's command.

Processes are named MACHINE/PROCESS: coordinator/superlink, coordinator/front, coordinator/serverapp (which SuperLink
starts for a run), SITE/worker, SITE/proxy, SITE/gateway. Leaving the `with` stops everything by its process id.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from deploy.rehearsal import files
from deploy.rehearsal.commands import MARK, Answer, CommandFailed, Commands
from deploy.rehearsal.files import Plan
from deploy.rehearsal.networks import COORDINATOR, network_for
from deploy.services import records

OVER = ("finished", "failed", "stopped", "interrupted")
STOP_SECONDS = 600.0  # that stopping may take, beyond the time of the rehearsal
_LOOK = 1.0


class Rehearsal:
    """The federation of `plan` in `folder` (absent or empty; short, as sockets have short paths).

    network: auto, namespaces or loopback. seconds: after which every further command fails.
    """

    def __init__(self, folder: Path, plan: Plan, *, network: str = "auto", seconds: float = 1800.0) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.plan = plan
        self.commands = Commands(self.folder, time.monotonic() + seconds)
        self.network = network_for(network, plan.sites)
        self.closed = False

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # What people do, in the order they do it.

    def provision(self) -> None:
        """The authority, everybody's kit, each verified and installed at its machine."""
        (self.folder / "federation.yaml").write_text(
            files.federation_yaml(self.plan, self.network), encoding="utf-8"
        )
        self.commands.give(
            None, "fedfundus-provision", "new", "federation.yaml", "--out", "kits", "--authority", "authority",
            "--no-password",
        )  # fmt: skip
        for name in (COORDINATOR, *self.plan.sites):
            self.commands.give(None, "fedfundus-provision", "verify", f"kits/{name}")
            self.install_kit(name)
        for site in self.plan.sites:
            (self.home(site) / "site.toml").write_text(files.site_toml(site), encoding="utf-8")
        (self.home(COORDINATOR) / "run.toml").write_text(files.run_toml(self.plan), encoding="utf-8")

    def install_kit(self, name: str) -> None:
        """What a member does with a kit that it was sent; the same for a newer one."""
        self.home(name).mkdir(mode=0o700, exist_ok=True)
        self.commands.give(None, "fedfundus-provision", "install", f"kits/{name}", f"{name}/kit")

    def draw_data(self) -> None:
        """Each site's own patients, drawn there."""

        def draw(number: int, site: str) -> None:
            data, seed = self.home(site) / "data", 1000 * self.plan.seed + number
            self.give(
                site,
                "fedfundus-simulate",
                "synthesize",
                data,
                "--patients",
                self.plan.patients,
                "--seed",
                seed,
            )
            files.write_split(data)

        self._at_once(draw, enumerate(self.plan.sites, start=1))

    def start(self, *machines: str) -> None:
        """Start the processes of these machines, by default all."""
        self._at_once(
            self.start_process, [(machine,) for machine in machines or (COORDINATOR, *self.plan.sites)]
        )

    def approve_federation(self) -> None:
        """At every site: the authority, whose fingerprint was told by telephone, and the package it has installed."""
        listed = self.commands.give(None, "fedfundus-provision", "list", "--json", "--authority", "authority")
        authority = json.loads(listed.out)["authority"]

        def approve(site: str) -> None:
            package = self.site_status(site)["package"]["sha256"]
            self.site(site, "approve", "--kit", "kit", "--hash", authority, "--hash", package)

        self._at_once(approve, [(site,) for site in self.plan.sites])

    def launch(self, run: str, *options: str) -> Answer:
        """Hand a run to SuperLink and return; the sites have still to approve its plan."""
        overrides = [part for override in self.plan.overrides for part in ("--set", override)]
        return self.coordinator(
            "launch", "run.toml", "--kit", "kit", "--preset", self.plan.preset, "--name", run, "--detach",
            *overrides, *options,
        )  # fmt: skip

    def approve_plan(self, run: str, sites: Iterable[str] = ()) -> None:
        """At these sites, by default all: the plan that came from the coordinator, by the hash that it tells."""
        plan = self.run_status(run)["plan_sha256"]

        def approve(site: str) -> None:
            self.wait_for(lambda: self._plan_waits(site, plan), f"the plan to reach {site}")
            self.site(site, "approve", "--hash", plan)

        self._at_once(approve, [(site,) for site in sites or self.plan.sites])

    def wait_for_end(
        self, run: str, heard: Callable[[dict[str, Any]], None] = lambda status: None
    ) -> dict[str, Any]:
        """Until the run is over; its last status. heard: every status on the way."""
        while True:
            status = self.run_status(run)
            heard(status)
            if status["state"] in OVER:
                return status
            time.sleep(_LOOK)

    def export(self, run: str) -> Path:
        """The finished run's model, signed, and seen to be as it was signed."""
        self.coordinator("export", run, "--kit", "kit", "--out", f"model-{run}")
        model = self.home(COORDINATOR) / f"model-{run}"
        certificate = "kit/certificates/coordinator.pem"
        self.give(COORDINATOR, "fedfundus-coordinator", "verify", model, "--certificate", certificate)
        return model

    def stop(self) -> None:
        """Stop every process, sites first."""
        begun = [(site, "stop") for site in self.plan.sites if (self.home(site) / "site.toml").exists()]
        self._at_once(self.site, begun)
        self.coordinator("shutdown")

    # One process.

    def start_process(self, name: str) -> None:
        """Start MACHINE/PROCESS, or with a machine's name alone all of its processes, where they do not run."""
        machine, _, process = name.partition("/")
        if machine == COORDINATOR:
            self.coordinator("start", *([process] if process else []), "--kit", "kit")
        else:
            # 1: it runs, and the coordinator is not there (yet), which a test may have wanted.
            self.site(machine, "start", *([process] if process else []), "--kit", "kit", accepted=(0, 1))

    def stop_process(self, name: str) -> None:
        """Stop it as its operator would."""
        machine, _, process = name.partition("/")
        if machine == COORDINATOR:
            self.coordinator("shutdown", process)
        else:
            self.site(machine, "stop", process)

    def kill(self, name: str) -> int:
        """kill -9 of one process, and of no other; its id."""
        process = self.process(name)
        assert process is not None, f"{name} does not run"
        process.kill()
        self.wait_for(lambda: self.process(name) is None, f"{name} to be gone")
        return int(process.pid)

    def process(self, name: str) -> psutil.Process | None:
        """The process of that name, None where it does not run."""
        machine, _, process = name.partition("/")
        if process == "serverapp":
            return next(iter(self._marked("flwr-serverapp")), None)
        record = records.read(self.records(machine) / f"{process}.pid")
        return None if record is None else record.process()

    # Looking.

    def home(self, machine: str) -> Path:
        """The folder of a machine."""
        return self.folder / machine

    def records(self, machine: str) -> Path:
        """Where a machine's processes leave records and logs (PROCESS.log)."""
        return self.home(machine) / ("store/services" if machine == COORDINATOR else ".fedfundus-services")

    def log(self, name: str) -> str:
        """What MACHINE/PROCESS wrote."""
        machine, _, process = name.partition("/")
        file = self.records(machine) / f"{process}.log"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    def run_status(self, run: str) -> dict[str, Any]:
        """`fedfundus-coordinator status RUN --json`."""
        answer = self.coordinator("status", run, "--json", accepted=(0, 3, 4))
        document: dict[str, Any] = json.loads(answer.out)
        return document

    def site_status(self, site: str) -> dict[str, Any]:
        """`fedfundus-site status --json`."""
        document: dict[str, Any] = json.loads(self.site(site, "status", "--json", accepted=(0, 1, 3)).out)
        return document

    def wait_for(self, holds: Callable[[], object], what: str) -> None:
        """Until `holds`. Raises CommandFailed where the rehearsal's time is over first."""
        while not holds():
            if time.monotonic() > self.commands.until:
                raise CommandFailed(f"waited in vain for {what}", "", str(self.folder))
            time.sleep(_LOOK)

    def coordinator(self, command: str, *arguments: object, accepted: tuple[int, ...] = (0,)) -> Answer:
        """A command of the coordinator's, over its store."""
        given = ("fedfundus-coordinator", command, *arguments, "--store", "store")
        return self.give(COORDINATOR, *given, accepted=accepted)

    def site(self, site: str, command: str, *arguments: object, accepted: tuple[int, ...] = (0,)) -> Answer:
        """A command of a site's operator, over its site.toml."""
        given = ("fedfundus-site", command, *arguments, "--config", "site.toml")
        return self.give(site, *given, accepted=accepted)

    def give(self, machine: str, *command: object, accepted: tuple[int, ...] = (0,)) -> Answer:
        """Any command at a machine, in its folder."""
        place, home = self.network.places[machine], self.home(machine)
        return self.commands.give(place, *command, cwd=home, accepted=accepted)

    # The end.

    def close(self) -> list[str]:
        """Stop everything, whatever state it is in; what had to be killed although it was told to stop."""
        if self.closed:
            return []
        self.closed = True
        # A second Ctrl-C, or the SIGTERM after it, would leave processes behind.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.commands.until = time.monotonic() + STOP_SECONDS
            try:
                self.stop()
            except (CommandFailed, OSError) as error:
                print(f"stopping: {error}")
            return self._sweep()
        finally:
            self.network.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def left_behind(self) -> list[psutil.Process]:
        """Processes of this rehearsal that run now."""
        found = {process.pid: process for process in self._marked("")}
        for machine in (COORDINATOR, *self.plan.sites):
            for file in self.records(machine).glob("*.pid"):
                record = records.read(file)
                found |= {one.pid: one for one in (record.family() if record else [])}
        return list(found.values())

    def _sweep(self) -> list[str]:
        left = self.left_behind()
        found = [f"{process.pid} {process.name()}" for process in left]
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=10.0)
        return found

    def _marked(self, word: str) -> list[psutil.Process]:
        """Those that carry this rehearsal's mark and have `word` in their command."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get(MARK) == str(self.folder)
                if ours and word in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def _at_once(self, job: Callable[..., object], arguments: Iterable[tuple[object, ...]]) -> None:
        """For several machines at a time: waiting for one is no reason to let the others wait."""
        with ThreadPoolExecutor(4) as threads:
            jobs = [threads.submit(job, *given) for given in arguments]
            try:
                for done in jobs:
                    done.result()
            except BaseException:
                self.commands.break_off()
                raise

    def _plan_waits(self, site: str, plan: str) -> bool:
        return any(known["sha256"] == plan for known in self.site_status(site)["plans"])
