"""How the coordinator stands beside its runs: its processes, and until when its certificate is valid."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.kits.contents import WARN_DAYS
from deploy.services.ports import listens
from deploy.services.services import Services
from server.services.nodes import FOLDER, left_nodes
from shared_model.config.validation import read_toml
from shared_model.errors import FedFundusError
from shared_model.files import write_text

NAMES = ("superlink", "front")
_KIT = "kit.json"


def keep_kit(folder: Path, kit: Path) -> None:
    """Remember which kit the processes were started with."""
    write_text(folder / _KIT, json.dumps({"kit": str(kit)}))


def standing(store: Path) -> dict[str, Any]:
    """processes: name -> its id, None where `start` did not start it. answers: name -> whether somebody listens at its
    port, whoever started it. certificate: until when, or what is wrong with the kit. pending: what SuperLink has still
    to be told, which is tried again here, for some seconds at most.

    Empty where nothing was ever started, and no SuperLink was told its nodes, with this store.
    """
    folder = store / FOLDER
    try:
        kit = Path(json.loads((folder / _KIT).read_text(encoding="utf-8"))["kit"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    from server.services.services import expiry

    running = {name: Services(folder).running(name) for name in NAMES}
    answers = _answers(kit)
    found: dict[str, Any] = {
        "processes": {name: process.pid if process else None for name, process in running.items()},
        "answers": answers,
        "certificate": {"problem": "", "expires": "", "days_left": 0},
        "pending": _pending(kit, folder, tell=answers["superlink"]),
    }
    try:
        found["certificate"] |= expiry(kit)
    except FedFundusError as error:
        found["certificate"]["problem"] = str(error).splitlines()[0]
    return found


def lines(document: dict[str, Any]) -> list[str]:
    """The same for a person."""
    if "processes" not in document:
        return []
    told = [_process(name, pid, document["answers"][name]) for name, pid in document["processes"].items()]
    certificate = document["certificate"]
    soon = ", EXPIRES SOON: ask for a renewal" if certificate["days_left"] < WARN_DAYS else ""
    until = f"until {certificate['expires']} ({certificate['days_left']} days){soon}"
    return [
        f"processes: {', '.join(told)}",
        f"certificate: {certificate['problem'] or until}",
        *(f"pending: {sentence}" for sentence in document["pending"]),
    ]


def _process(name: str, pid: int | None, answers: bool) -> str:
    if pid:
        return f"{name} {pid}"
    return f"{name} answers, a service manager's" if answers else f"{name} DOES NOT RUN"


def _answers(kit: Path) -> dict[str, bool]:
    """Name -> whether somebody listens where the kit says; of a kit that cannot be read nobody is found."""
    try:
        settings = read_toml(kit / "kit.toml")
        host, _, port = str(settings["superlink"]["address"]).rpartition(":")
        places = {
            "superlink": (host, int(port)),
            "front": ("127.0.0.1", int(settings["coordinator"]["port"])),
        }
    except (FedFundusError, KeyError, TypeError, ValueError):
        return dict.fromkeys(NAMES, False)
    return {name: listens(*place) for name, place in places.items()}


def _pending(kit: Path, folder: Path, *, tell: bool) -> list[str]:
    """tell: whether SuperLink is there to be told."""
    from server.services.registering import pending_nodes, unregister_left

    if tell and left_nodes(folder):
        with suppress(FedFundusError):  # what is left is said below, also while a `start` is at it
            unregister_left(kit, folder)
    return pending_nodes(folder)
