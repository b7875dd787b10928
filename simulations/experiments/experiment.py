"""One experiment: a configuration trained federated, on pooled data or at one site alone, with the seed it names.

Its key follows from all that decides the trained model, so that whoever asks for the same model finds it trained.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared_model.config import Config
from shared_model.errors import ConfigError
from shared_model.metrics.document import LOCAL as LOCAL_MODEL
from shared_model.version import PACKAGE_VERSION
from simulations.baselines import POOLED
from simulations.training import FEDERATED

LOCAL = "local"  # as a mode of a person's: each site alone, an experiment a site
MODES = (FEDERATED, POOLED, LOCAL)
# What changes neither the data nor the weights.
_WITHOUT_EFFECT = {"variant", "preset", "evaluation", "runtime"}


@dataclass(frozen=True, eq=False)  # a configuration cannot be hashed; `key` is what makes two alike
class Experiment:
    """name: what tables call the model. mode: federated, pooled or local:SITE. left_out: a site that has no part."""

    name: str
    mode: str
    config: Config
    left_out: str = ""

    @property
    def seed(self) -> int:
        """Of everything random in it."""
        return self.config.seed

    @property
    def label(self) -> str:
        """For people."""
        without = f" without {self.left_out}" if self.left_out else ""
        return f"{self.name}, {self.mode}{without}, seed {self.seed}"

    def key(self, data: str) -> str:
        """Of the trained model, given the fingerprint of its data: 24 hex digits."""
        # Pooled and local models are trained by plain averaging of one, whatever the strategy.
        decides = self.config.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
        runtime = self.config.runtime
        decides["arithmetic"] = [runtime.device, runtime.precision, runtime.plain]
        text = json.dumps([decides, self.mode, self.left_out, data, PACKAGE_VERSION], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def modes_of(text: str) -> list[str]:
    """The modes in "federated,pooled". Raises ConfigError for one that there is not, and for none."""
    modes = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown or not modes:
        raise ConfigError(
            f"there is no mode {unknown[0]!r}" if unknown else "no mode is named",
            where="--modes",
            fix=f"use some of: {', '.join(MODES)}",
        )
    return list(dict.fromkeys(modes))


def in_modes(name: str, config: Config, modes: Sequence[str], sites: Sequence[str]) -> list[Experiment]:
    """The experiments of one configuration in these modes; a model of no round is the same in all of them."""
    if config.federation.rounds == 0:
        return [Experiment(name, FEDERATED, config)]
    found: list[Experiment] = []
    for mode in modes:
        each = [LOCAL_MODEL + site for site in sites] if mode == LOCAL else [mode]
        found += [Experiment(name, one, config) for one in each]
    return found
