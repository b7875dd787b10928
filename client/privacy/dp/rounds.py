"""Private training as a worker calls it: one object a site and run, made of the constants the site registered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from client.data.dataset import SiteDataset
from client.privacy.dp.account import Account, PlanAccount
from client.privacy.dp.bank import Bank, public_bank
from client.privacy.dp.plan import Plan, make_plan
from client.privacy.dp.randomness import Randomness, randomness_of
from client.privacy.dp.training import PrivateTraining, train_privately
from client.training.loop import TrainingResult
from shared_model.config import Config
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.model import Tokenizer
from shared_model.statistics import Standardisation


class PrivateRounds:
    """The private rounds of one site in one run."""

    def __init__(self, config: Config, plan: Plan, randomness: Randomness, account: Account) -> None:
        self.plan = plan
        self._config = config
        self._randomness = randomness
        self._account = account
        self._bank: tuple[Standardisation, Bank] | None = None

    @classmethod
    def simulated(cls, config: Config, site: str, patients: int) -> PrivateRounds:
        """For a site of a simulation, which has no ledger: it spends what the run asks for and no more."""
        randomness = randomness_of(config, site, simulation=True)
        return cls(config, make_plan(config, patients), randomness, PlanAccount())

    def train(
        self,
        objective: Objective,
        dataset: SiteDataset,
        rows: NDArray[np.int64],
        tokenizer: Tokenizer,
        standardisation: Standardisation,
        *,
        number: int,
        learning_rate: float,
        moments: Arrays | None,
    ) -> TrainingResult:
        """Round `number` from the objective's present weights, of fewer steps where the account allows fewer.

        The result has no losses (its `loss` is 0) and no untrained parameters: either would tell of patients
        without noise. Learned loss weights are noised like any parameter, and are told. Raises FedFundusError where
        the account allows no step, and what PrivateTraining refuses, which is not charged.
        """
        steps = self._config.training.local_steps
        training = PrivateTraining(
            objective,
            dataset,
            rows,
            self._config,
            self.plan,
            self._randomness,
            self._public(tokenizer, standardisation),
            learning_rate=learning_rate,
            moments=moments,
        )
        taken = self._account.charge(self.plan, number, steps)  # before anything is drawn
        result = train_privately(training, (number - 1) * steps, taken)
        weights = {name: float(weight.detach()) for name, weight in objective.weighting.weights().items()}
        return TrainingResult(0.0, {}, weights, result.moments, frozenset(), taken)

    def _public(self, tokenizer: Tokenizer, standardisation: Standardisation) -> Bank:
        """The bank on the scale of the federation's statistics, made once."""
        if self._bank is None or self._bank[0] != standardisation:
            size = self._config.model.image.size
            bank = public_bank(self._config.privacy.bank, size, tokenizer, standardisation)
            self._bank = standardisation, bank
        return self._bank[1]
