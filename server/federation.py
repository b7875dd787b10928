"""A whole federated run from the coordinator's side, free of Flower: handshake, statistics, rounds, model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.admission import Admission
from server.checkpoint import Checkpoint
from server.errors import Code, CoordinatorError
from server.handshake import Roster, Terms, gather_statistics, join
from server.history import RoundRecord
from server.moved import Moved
from server.planned_sites import PLAN_FILE
from server.rounds import RoundLoop
from server.sites import Sites
from server.store import RunFolder
from shared_model.config import Config
from shared_model.config.at_site import require_private_sites
from shared_model.config.secure_aggregation import FEWEST_SITES
from shared_model.exchange import shared_tensors, trunk_fingerprint
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.model import build_model


def run_federation(
    sites: Sites,
    config: Config,
    folder: RunFolder,
    label: str = "federated",
    on_round: Callable[[RoundRecord], None] = lambda record: None,
    *,
    resume: bool = False,
    wire: Callable[[], Moved | None] = lambda: None,
) -> Roster:
    """Train one model over `sites`; weights, history, statistics and quarantine are left in `folder`.

    Returns the sites as they are known at the end.
    resume: go on after the last complete round that `folder` holds a checkpoint of, with the statistics of then. wire:
    what the transport has carried so far, None where nothing can tell.
    """
    initial, terms = _beginning(config)
    limits: dict[str, Any] = {
        "quorum": fewest_sites(config),
        "grace": config.federation.grace,
        "silence": config.federation.silence,
    }
    roster = join(sites, terms.trunk, terms.tensors, **limits)
    if not (folder.path / PLAN_FILE).is_file():  # else its names are those of the kit, and one may come late
        require_private_sites(config, {*roster.names.values(), *folder.joined_before()})
    folder.joined(roster.names.values())
    standardisation = _standardisation(sites, roster, config, folder, limits, resume=resume)
    admission = Admission(sites, roster, terms, folder)
    loop = RoundLoop(
        sites, roster, config, standardisation, folder, label, on_round, present=admission.present, wire=wire
    )
    checkpoint = _checkpoint(folder, initial) if resume else None
    if checkpoint is not None:
        folder.event("resumed", after_round=checkpoint.number)
        loop.resume(checkpoint)
        return roster
    if resume:
        folder.rewind(0)
    loop.run(initial)
    return roster


def fewest_sites(config: Config) -> int:
    """Sites that must join, so that a round could ever have enough."""
    secure, minimum = config.secure_aggregation, config.federation.minimum
    return max(minimum, FEWEST_SITES, secure.threshold) if secure.enabled else minimum


def _beginning(config: Config) -> tuple[Arrays, Terms]:
    """The tensors that the first round begins from, and what a site must have in common with it; no model is kept."""
    objective = Objective(build_model(config.model, seed=config.seed), config.losses)
    initial = shared_tensors(objective)
    shapes = {name: list(array.shape) for name, array in initial.items()}
    return initial, Terms(trunk_fingerprint(objective), shapes)


def _standardisation(
    sites: Sites, roster: Roster, config: Config, folder: RunFolder, limits: dict[str, Any], *, resume: bool
) -> dict[str, Any]:
    """Round 0 is answered once and stored: a run that goes on stands on what it began with."""
    if resume and (folder.path / "standardisation.json").exists():
        stored: dict[str, Any] = folder.load_json("standardisation.json")
        return stored
    statistics = gather_statistics(sites, roster, **limits)
    folder.save_json("statistics.json", statistics.to_dict())
    standardisation = statistics.standardisation().reading(config.model.inputs).to_dict()
    folder.save_json("standardisation.json", standardisation)
    return standardisation


def _checkpoint(folder: RunFolder, initial: Arrays) -> Checkpoint | None:
    """The run's last checkpoint, its tensors in the model's order; None before the first round was complete."""
    found = folder.checkpoints.latest() if folder.checkpoints is not None else None
    if found is None:
        return None
    shapes = {name: array.shape for name, array in initial.items()}
    if {name: array.shape for name, array in found.model.items()} != shapes:
        raise CoordinatorError(
            Code.OTHER_RELEASE,
            "the checkpoint is of another model than the run's configuration makes",
            where=str(folder.path),
            fix="resume with the release that launched the run",
        )
    model = {name: found.model[name] for name in initial}
    base = {name: found.base[name] for name in initial} if found.base else {}
    return Checkpoint(found.number, model, base, found.strategy, found.state)
