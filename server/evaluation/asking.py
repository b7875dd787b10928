"""The sites' judgement of a finished model: its calibration and one table of figures, without a patient's score.

Three questions, the messages and the pooling that a simulation's figures are made of too (simulations.judgement):
losses at a grid of temperatures, histograms of the calibrated scores, and figures on test patients. A site that does
not answer one of them, or answers what cannot be read, is left out of that one by name; nothing is guessed for it.
What was fitted to the first answers is kept before the second question: a site tells its scores once, under one
calibration, so that a judgement that was broken off has to go on with the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from server.errors import Code, CoordinatorError
from server.evaluation.points import fit_points
from server.evaluation.pool import pool_figures
from server.evaluation.temperature import fit_temperature
from server.handshake import Roster, ask_all
from server.sites import SiteFailure, Sites
from server.store import RunFolder
from shared_model.calibration import Calibration
from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.evaluation import ScoresAnswer, SiteFigures, TemperatureAnswer
from shared_model.exchange import Payload
from shared_model.exchange.message_id import message_id
from shared_model.privacy_statement import site_labels
from shared_model.run_plan import Question

JUDGEMENT, BEGUN = (
    "evaluation.json",
    "evaluation-begun.json",
)  # in the run's folder; the latter until there is the first
_READ: Mapping[Question, Callable[[Mapping[str, Any]], Any]] = {
    "temperature": TemperatureAnswer.from_dict,
    "scores": ScoresAnswer.from_dict,
    "site_figures": SiteFigures.from_dict,
}


@dataclass
class _Asking:
    """The finished model under way to the sites. left_out: question -> site -> why."""

    sites: Sites
    roster: Roster
    config: Config
    request: Payload
    addresses: list[str]
    left_out: dict[str, dict[str, str]] = field(default_factory=dict)

    def answers(self, question: Question, **fields: Any) -> dict[str, Mapping[str, Any]]:
        """Site -> its answer, in the order of their names."""
        request = Payload(self.request.arrays, self.request.fields | fields)
        federation = self.config.federation
        found: dict[str, Mapping[str, Any]] = {}
        for address, answer in ask_all(self.sites, question, self.addresses, federation, request):
            name = self.roster.names[address]
            try:
                found[name] = _told(question, answer)
            except DataError as error:
                self.left_out.setdefault(question, {})[name] = error.what
        return dict(sorted(found.items()))


def judge(sites: Sites, roster: Roster, config: Config, folder: RunFolder) -> dict[str, Any]:
    """Ask about the run's last weights and write evaluation.json: `calibration`, `pooled`, `left_out`, of
    a private run also `privacy`, what it promises the patients of each site.

    Sites that are suspended are not asked. Every other one is asked once; whoever has answered answers the same again.
    Broken off after the temperatures were fitted and begun again, it goes on with these.
    """
    away = set(folder.suspended()) - set(folder.readmitted())
    request = Payload(
        folder.load_weights("last"),
        {
            "round": config.federation.rounds,
            "standardisation": folder.load_json("standardisation.json"),
        },
    )
    addresses = [address for address, name in roster.names.items() if name not in away]
    asking = _Asking(sites, roster, config, request, addresses)
    calibration = _fitted(asking, folder)
    scores = asking.answers("scores", calibration=calibration.to_dict())
    calibration = fit_points(calibration, scores.values())
    document = {
        "calibration": calibration.to_dict(),
        "pooled": pool_figures(asking.answers("site_figures").items()),
        "left_out": asking.left_out,
    }
    if labels := site_labels(config, sorted(roster.names.values())):
        document["privacy"] = labels
    folder.save_json(JUDGEMENT, document)
    (folder.path / BEGUN).unlink(missing_ok=True)
    folder.event("judged", left_out=asking.left_out)
    return document


def _fitted(asking: _Asking, folder: RunFolder) -> Calibration:
    """The temperatures: those that a judgement of the same weights had fitted when it was broken off, else new ones."""
    model = message_id(asking.request)
    if (folder.path / BEGUN).is_file():
        begun = folder.load_json(BEGUN)
        if begun["model"] == model:
            asking.left_out |= begun["left_out"]
            return Calibration.from_dict(begun["calibration"])
    told = asking.answers("temperature")
    calibration = fit_temperature(told.values())
    if told:
        folder.save_json(
            BEGUN, {"model": model, "calibration": calibration.to_dict(), "left_out": asking.left_out}
        )
    return calibration


def judged(folder: RunFolder) -> dict[str, Any] | None:
    """What `judge` wrote; None where the sites were not asked, as of a run that an earlier release finished."""
    if not (folder.path / JUDGEMENT).is_file():
        return None
    document: dict[str, Any] = folder.load_json(JUDGEMENT)
    return document


def require_judged(folder: RunFolder) -> dict[str, Any]:
    """As `judged`. Raises CoordinatorError where there is nothing."""
    found = judged(folder)
    if found is None:
        raise CoordinatorError(
            Code.NOT_JUDGED,
            "no site was asked how good the model is: the run is not finished, or was a canary",
            where=folder.path.name,
            fix="fedfundus-coordinator status shows how far it is; resume asks them where it is finished but for this",
        )
    return found


def calibration_of(document: Mapping[str, Any] | None) -> Calibration | None:
    """The calibration of the last weights."""
    return None if document is None else Calibration.from_dict(document["calibration"])


def _told(question: Question, answer: Payload | SiteFailure) -> Mapping[str, Any]:
    """The message in a site's answer. Raises DataError for none, and for one that cannot be pooled."""
    if isinstance(answer, SiteFailure):
        raise DataError(answer.reason)
    message = answer.fields.get(question)
    if not isinstance(message, Mapping):
        raise DataError("sent no answer to it")
    _READ[question](message)
    return message
