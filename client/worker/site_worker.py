"""The worker of a hospital: the same worker as in simulation, behind its operator's policy and its patients' rights.

Before every answer it looks who has been excluded, so that an exclusion counts from the next call on, in a run
that is under way too; before every round it writes down whom the round is trained on. The number of training
photographs that it reports stays the one it registered when it joined, and a later run is told another one only
when many patients have changed: a small change would tell of an exclusion. Joining settles the answer to round 0
as well, so that both are of the same patients.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from client.cache.trunk_cache import TrunkCache
from client.evaluation import Finished, answering
from client.rights.exclude import excluded
from client.rights.participation import record_participation
from client.rights.retention import expire
from client.site.config import Call, SiteConfig
from client.site.contents import FEATURES, WORKER
from client.site.describe import answers, statistics_policy
from client.site.ledger import ledger
from client.site.prepare import Prepared, prepare
from client.site.state import SiteState
from client.worker.finished_answers import Asked, FinishedAnswers, request_digest
from client.worker.run_name import hold_to_its_plan
from client.worker.worker import Worker
from shared_model.config import Config
from shared_model.config.at_site import config_at
from shared_model.errors import DataError
from shared_model.exchange import Payload
from shared_model.secure_aggregation.report import nothing_validated

if TYPE_CHECKING:
    from client.privacy.dp.rounds import PrivateRounds
    from client.privacy.secure_aggregation.rounds import SecureRounds

_PATIENCE = 300.0  # seconds that a call waits for a command of the operator


class SiteWorker:
    """One hospital in one run.

    config, state: of the site. plan: the run's configuration, of which the data section has no say here, and which
    counts as it holds at this site: in a run of private and other sites it may train without privacy. run,
    federation: their names, letters, digits, hyphens and underscores.
    """

    def __init__(
        self, config: SiteConfig, state: SiteState, plan: Config, *, run: str, federation: str
    ) -> None:
        self._config = config
        self._state = state
        self._plan = config_at(plan, config.site.name)
        self._run = run
        self._federation = federation
        self._barred: set[str] | None = None
        self._prepared: Prepared | None = None
        self._worker: Worker | None = None
        self._private: PrivateRounds | None = None
        self._secure: SecureRounds | None = None

    def join(self) -> Payload:
        """As Worker.join; what it registers stays registered for the life of the run."""
        self._require("join")
        with self._state.lock("join", wait=_PATIENCE):
            worker = self._current()
            answer = worker.join()
            if "statistics" in self._config.policy.calls:
                worker.statistics()
            answer.fields["examples"] = self._registered()["examples"]
        return answer

    def statistics(self) -> Payload:
        """As Worker.statistics, of what the site's policy answers."""
        self._require("statistics")
        with self._state.lock("statistics", wait=_PATIENCE):
            return self._current().statistics()

    def train(self, request: Payload) -> Payload:
        """As Worker.train; who is trained on is on record before anything is.

        A site that does not answer `evaluate` says nothing of its validation patients here either. In a private run
        every step is charged to the site's ledger first: BudgetExhausted where a limit leaves none, LedgerError where
        the ledger is lost or not as it was written. Masked under secure aggregation.
        """
        self._require("train")
        with self._state.lock("round", wait=_PATIENCE):
            return self._masked("train", request, self._trained)

    def _trained(self, request: Payload) -> Payload:
        worker, number = self._current(), int(request.fields["round"])
        record_participation(
            self._state,
            self._run,
            self._federation,
            self._training_patients(),
            round_number=number,
            private=self._plan.privacy.enabled,
        )
        answer = worker.train(request)
        answer.fields.update(self._registered() | self._spent())
        if "evaluate" not in self._config.policy.calls and "validation" in answer.fields:
            answer.fields["validation"] = nothing_validated()
        return answer

    def evaluate(self, request: Payload) -> Payload:
        """As Worker.evaluate. Masked under secure aggregation."""
        self._require("evaluate")
        with self._state.lock("evaluate", wait=_PATIENCE):
            return self._masked("evaluate", request, self._current().evaluate)

    def secure_aggregation(self, request: Payload) -> Payload:
        """One step of a secure round (client.privacy.secure_aggregation), under the policy of what is masked in it."""
        self._require("evaluate" if request.fields.get("question") == "evaluate" else "train")
        with self._state.lock("round", wait=_PATIENCE):
            worker, allowed = self._current(), "evaluate" in self._config.policy.calls
            weight, tells = int(self._registered()["examples"]), worker.tells if allowed else ()
            return self._secure_rounds().answer(request, weight, tells, worker.trains)

    def _masked(self, question: str, request: Payload, answer: Callable[[Payload], Payload]) -> Payload:
        if not self._plan.secure_aggregation.enabled:
            return answer(request)
        return self._secure_rounds().masked(
            question, request, lambda: answer(request), lambda: self._current().base(request)
        )

    def _secure_rounds(self) -> SecureRounds:
        """Made once: a round's keys are in memory alone."""
        if self._secure is None:
            from client.privacy.secure_aggregation.deployed import deployed_rounds

            self._secure = deployed_rounds(self._config, self._state, self._plan, self._run, self._federation)
        return self._secure

    def temperature(self, request: Payload) -> Payload:
        """Losses of a finished model at a grid of temperatures (client.evaluation.temperature_answer).

        request: as for `evaluate`. This and the next two are answered once a run, under the policy of `evaluate`.
        """
        return self._of_finished("temperature", request)

    def scores(self, request: Payload) -> Payload:
        """Histograms of its scores at the temperatures in field `calibration` (client.evaluation.scores_answer)."""
        return self._of_finished("scores", request)

    def site_figures(self, request: Payload) -> Payload:
        """Its merged confusion matrices and histograms on the test patients (client.evaluation.site_figures)."""
        return self._of_finished("site_figures", request)

    def _of_finished(self, question: Finished, request: Payload) -> Payload:
        self._require("evaluate")
        how = answering(question, request.fields)
        with self._state.lock("evaluate", wait=_PATIENCE):
            found = self._current().predictions(request, how.split)
            if isinstance(found, Payload):
                return found
            predictions, model = found
            assert self._prepared is not None
            policy, key = statistics_policy(self._config), self._state.secret("evaluation")
            asked = _asked(self._run, question, how.split, model, request)
            told = FinishedAnswers(self._state, key, policy.minimum_cell).tell(
                asked, self._prepared.table, lambda: how.tell(predictions, policy, key=key)
            )
        return Payload(fields={"site": self._config.site.name, question: told})

    def _require(self, call: Call) -> None:
        if call not in self._config.policy.calls:
            raise DataError(
                f"this site's policy does not allow the call {call!r}",
                where="policy.calls",
                fix="the site's operator decides this in site.toml",
            )
        if self._config.policy.require_private and not self._plan.privacy.enabled:
            raise DataError(
                "this site takes part only in runs that train under differential privacy at this site",
                where="policy.require_private",
                fix="start the run with privacy.enabled = true, and this site in privacy.sites where some are named; "
                "the site's operator decides this in site.toml",
            )
        if self._config.policy.require_secure_aggregation and not self._plan.secure_aggregation.enabled:
            raise DataError(
                "this site takes part only in runs under secure aggregation",
                where="policy.require_secure_aggregation",
                fix="start the run with secure_aggregation.enabled = true; site.toml decides what this site asks for",
            )

    def _current(self) -> Worker:
        """The worker over everybody who may be used now; DataError where the run's name is another plan's."""
        hold_to_its_plan(self._state, self._run, self._federation, self._plan)
        barred = excluded(self._state)
        if self._worker is None or barred != self._barred:
            expire(self._state, self._config.retention.model_dump())
            self._prepared = prepare(
                self._config,
                self._state,
                self._plan.model.image.size,
                mask_notes=self._plan.losses.mask_notes,
            )
            self._barred = barred
            self._worker = Worker(
                self._config.site.name,
                self._prepared.table,
                self._prepared.images,
                self._plan,
                self._state.path(f"{WORKER}/{self._run}"),
                policy=statistics_policy(self._config),
                answers=answers(self._config, self._state, self._federation),
                vault=self._state.vault,
                private=self._private_rounds() if self._plan.privacy.enabled else None,
                cache=self._cache(),
                draws=self._draws(),
            )
        return self._worker

    def _draws(self) -> int:
        """0, but for a masked run: there a number of this site's and this run's own, which nobody else can make.

        By the run's seed alone, two runs of the same configuration, one of them without a site, would differ by that
        site's update and by nothing else.
        """
        if not self._plan.secure_aggregation.enabled:
            return 0
        secret = self._state.secret(f"draws of {self._federation}/{self._run}, seed {self._plan.seed}")
        return int.from_bytes(secret[:8], "big") >> 1 | 1

    def _private_rounds(self) -> PrivateRounds:
        """Made once: what it stands on is registered, whoever is excluded later."""
        if self._private is None:
            from client.privacy.registered import private_rounds  # Opacus takes seconds to load

            patients = len(self._training_patients())
            self._private = private_rounds(self._config, self._state, self._plan, self._run, patients)
        return self._private

    def _cache(self) -> TrunkCache:
        """Of all runs: features belong to a trunk, not to a run."""
        folder, limit = self._state.path(FEATURES), self._config.resources.cache_gb
        return TrunkCache(folder, self._state.vault, limit_gb=limit, makes_room=True)

    def _training_patients(self) -> list[str]:
        assert self._prepared is not None
        table = self._prepared.table
        return list(table.loc[table["split"] == "train", "patient_id"].unique())

    def _registered(self) -> dict[str, Any]:
        """What this run knows of the training photographs: how many, and the fingerprint of whom they are of.

        Where it knows nothing yet, what may be told. Without differential privacy also how many rows were skipped,
        from the policy's minimum up.
        """
        name = f"{WORKER}/{self._run}/registered.json"
        kept = self._state.read(name)
        if kept is not None:
            known = json.loads(kept)
            return known if isinstance(known, dict) else {"examples": int(known)}
        assert self._prepared is not None
        told, policy = answers(self._config, self._state, self._federation), statistics_policy(self._config)
        found: dict[str, Any] = {"examples": told.count(self._prepared.table, policy), "data": told.data()}
        skipped = int(self._prepared.quarantine["row"].nunique())
        if not self._plan.privacy.enabled and skipped >= policy.minimum_cell:
            found["skipped"] = skipped
        self._state.write(name, json.dumps(found).encode())
        return found

    def _spent(self) -> dict[str, float]:
        """What the run has cost so far, where it is a private one."""
        if not self._plan.privacy.enabled:
            return {}
        from client.privacy.composition import Composition  # Opacus takes seconds to load

        entries = [entry for entry in ledger(self._config, self._state).entries() if entry.run == self._run]
        spent = Composition(self._config.policy.delta_limit)(entries).epsilon
        return {"epsilon": spent} if math.isfinite(spent) else {}


def _asked(run: str, question: str, split: str, model: str, request: Payload) -> Asked:
    alone = {"standardisation": request.fields["standardisation"]}
    digests = request_digest(model, request.fields), request_digest(model, alone)
    return Asked(run, question, split, *digests)
