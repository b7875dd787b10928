"""The worker process behind its socket: which plan is at work, and whether a question may be asked at all.

A question reaches the site's worker only for a run plan that the coordinator signed and the operator approved, run by
the package that the operator approved, within what the plan says: its questions, its rounds, its tensors. All of it
is looked up at every question, so that a withdrawn approval counts at once, and nothing is remembered that a worker
started anew would not find again on its disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from client.approval.store import Approvals
from client.audit.log import AuditLog
from client.site.config import SiteConfig
from client.site.state import SiteState
from client.worker.own_machine import own_runtime, require_machine
from client.worker.resident import training_machine
from client.worker.site_worker import SiteWorker
from shared_model.errors import ConfigError, DataError, FedFundusError, RunError
from shared_model.exchange.message_id import message_id
from shared_model.exchange.payload import Payload
from shared_model.package import package_sha256
from shared_model.run_plan import PACKAGE, PLAN, SIGNED_PLAN, Question, RunPlan, SignedPlan
from shared_model.version import PACKAGE_VERSION

_SLACK = 1.25  # over fp32: int8 scales of small tensors

log = logging.getLogger(__name__)


class Asked(Protocol):
    """What answers: client.worker.site_worker.SiteWorker."""

    def join(self) -> Payload:
        """Who this site is."""
        ...

    def statistics(self) -> Payload:
        """Round 0."""
        ...


Open = Callable[[SiteConfig, SiteState, RunPlan], Asked]


def open_site(config: SiteConfig, state: SiteState, plan: RunPlan) -> SiteWorker:
    """The site's worker for a plan, telling no more statistics than the plan names, on the site's own machine."""
    told = tuple(group for group in config.policy.statistics if group in plan.statistics)
    policy = config.policy.model_copy(update={"statistics": told})
    narrowed = config.model_copy(update={"policy": policy})
    here = plan.config.model_copy(update={"runtime": own_runtime(config, plan.config.runtime)})
    log.info("run %s is computed on %s", plan.run, training_machine(here).describe())
    return SiteWorker(narrowed, state, here, run=plan.run, federation=plan.federation)


class WorkerHost:
    """One site's worker for whichever approved plan is at work. opened: makes the worker of a plan.

    Raises DataError where the site's audit log was altered, ConfigError for a machine that [resources] has wrong.
    """

    def __init__(self, config: SiteConfig, state: SiteState, opened: Open = open_site) -> None:
        require_machine(config)
        self._config = config
        self._state = state
        self._opened = opened
        self.approvals = Approvals(state)
        self.package = package_sha256()
        self._worker: Asked | None = None
        self._of = self._run = ""  # the plan that self._worker is of, and its run
        self._log = AuditLog(state)
        self._log.check()

    def expected(self, question: Question) -> int:
        """Bytes of tensors that a request may bring at most. Raises and writes down as `answer`."""
        if question in ("join", "statistics"):
            return 0
        try:
            signed = self.approvals.at_work()
            if signed is None:
                raise _not_joined()
            return int(_SLACK * self.approvals.require(signed, self.package).bytes_of_tensors) + (1 << 20)
        except FedFundusError as error:
            self._refused(error, question=question)
            raise

    def answer(self, question: Question, request: Payload) -> Payload:
        """The answer that leaves, written down before. Raises FedFundusError, of which only `what` may leave."""
        try:
            answer = self._answer(question, request)
        except FedFundusError as error:
            self._refused(error, **_about(question, request))
            raise
        named = {"run": self._run, "plan": self._of, "id": message_id(answer)}
        self._log.append("answered", **_about(question, answer), **named)
        return answer

    def _refused(self, error: FedFundusError, **about: str | int) -> None:
        why = "the site's configuration does not fit" if isinstance(error, ConfigError) else error.what
        self._log.append("refused", **about, why=why)

    def _answer(self, question: Question, request: Payload) -> Payload:
        if question == "join":
            return self._join(request)
        signed = self.approvals.at_work()
        if signed is None or request.fields.get(PLAN) != signed.sha256:
            raise _not_joined()
        plan = self.approvals.require(signed, self.package)
        _require_within(plan, question, request.fields)
        worker = self._worker_of(plan)
        if question == "statistics":
            return worker.statistics()
        ask: Callable[[Payload], Payload] = getattr(worker, question)
        return ask(request)

    def status(self) -> dict[str, Any]:
        """The fields of StatusAnswer but `busy`."""
        signed = self.approvals.at_work()
        return {
            "site": self._config.site.name,
            "version": PACKAGE_VERSION,
            "package": self.package,
            "package_approved": self.package in self.approvals.packages(),
            "plan": signed.sha256 if signed else "",
            "run": self.approvals.trusted.plan_of(signed, None).run if signed else "",
        }

    def _join(self, request: Payload) -> Payload:
        signed = SignedPlan.of(request.fields.get(SIGNED_PLAN))
        if package_sha256() != self.package:
            raise RunError(
                "the installed package was changed while this site's worker was running",
                fix="restart the worker, then approve the package",
            )
        plan = self.approvals.require(signed, self.package)
        _require_within(plan, "join", request.fields)
        answer = self._worker_of(plan).join()
        tensors = {name: list(shape) for name, shape in plan.tensors.items()}
        if answer.fields["tensors"] != tensors or answer.fields["trunk"] != plan.trunk:
            raise DataError(
                "the tensors that the run plan names are not those of this site's model",
                fix="install the release that the coordinator uses, with the same pretrained weights",
            )
        self.approvals.set_at_work(signed.sha256)
        return Payload(answer.arrays, answer.fields | {PLAN: signed.sha256, PACKAGE: self.package})

    def _worker_of(self, plan: RunPlan) -> Asked:
        if self._worker is None or self._of != plan.sha256:
            self._worker = self._opened(self._config, self._state, plan)
            self._of, self._run = plan.sha256, plan.run
        return self._worker


def _about(question: Question, message: Payload) -> dict[str, str | int]:
    """The question and the round that a message names, if it names one."""
    about: dict[str, str | int] = {"question": question}
    number = message.fields.get("round")
    if isinstance(number, int) and 0 <= number < 1 << 31:
        about["round"] = number
    return about


def _not_joined() -> RunError:
    return RunError(
        "this site has not joined the run that asks", fix="the coordinator has to let the site join first"
    )


def _require_within(plan: RunPlan, question: Question, fields: dict[str, Any]) -> None:
    """Raise DataError for a question that the plan does not name, or a round that it does not have."""
    if question not in plan.questions:
        raise DataError(
            f"the approved run plan does not ask {question!r}", fix="the coordinator must make another plan"
        )
    asked = fields.get("question")
    if question == "secure_aggregation" and asked in ("train", "evaluate"):
        _require_within(plan, asked, fields)
    if question in ("train", "evaluate"):
        number, first = fields.get("round"), 1 if question == "train" else 0
        last = plan.config.federation.rounds
        if not isinstance(number, int) or isinstance(number, bool) or not first <= number <= last:
            raise DataError(
                f"the approved run plan has rounds {first} to {last}, and another was asked for",
                fix="the coordinator must make another plan",
            )
