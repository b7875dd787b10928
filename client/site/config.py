"""site.toml: what a site's operator decides, and nobody else can change.

Where the data is and how it is read, what the coordinator may be told, what the machine may be used for, and
how long things are kept. Paths are relative to the file itself, so that a folder can be moved as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, model_validator

from client.statistics.policy import GROUPS
from shared_model.config.load import presets
from shared_model.config.section import Fraction, Natural, NonNegative, Section
from shared_model.config.validation import read_toml, validated
from shared_model.errors import ConfigError

Call = Literal["join", "statistics", "train", "evaluate"]
Shared = Literal["text", "structured"]
# Known without being loaded: reading tables costs a second, which every command of a site would pay.
SHIPPED_ADAPTERS = frozenset(("brset", "deepeyenet", "dicom", "mbrset", "table"))
_FIX = "correct that line of site.toml; `fedfundus-site init` writes one with every key explained"


class Identity(Section):
    """Who this site is to the others."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class DataSection(Section):
    """Where records come from. The adapter's own options stand in [data.ADAPTER] and are read by it."""

    folder: str
    adapter: str = "brset"

    @model_validator(mode="after")
    def _knows_the_adapter(self) -> DataSection:
        if unknown := _unknown_adapters((self.adapter,)):
            raise ValueError(f"data.adapter must be one of {', '.join(unknown[1])}")
        return self


class SplitSection(Section):
    """Shares of patients to train and validate on; the rest is tested on. Drawn once from the site's salt."""

    train: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    validation: Fraction = 0.1

    @model_validator(mode="after")
    def _leaves_a_test_set(self) -> SplitSection:
        if self.train + self.validation > 1 - 1e-9:  # decimal fractions do not sum exactly
            raise ValueError("split.train + split.validation must stay below 1: the rest is the test set")
        return self


class PolicySection(Section):
    """What may be asked of this site and what its answers hold back."""

    calls: tuple[Call, ...] = ("join", "statistics", "train", "evaluate")
    statistics: tuple[str, ...] = tuple(GROUPS)
    minimum_cell: Annotated[int, Field(ge=0, le=1000)] = 10  # patients; 0 holds nothing back
    statistics_epsilon: NonNegative = 0.0  # 0 adds no noise
    epsilon_limit: NonNegative = 0.0  # over the life of the data; 0: none, and then no noise either
    # Of the training of one run; 0: none but the one above. Noisy statistics serve all runs of a federation: they are
    # charged once, under its name, and only epsilon_limit counts them.
    run_epsilon_limit: NonNegative = 0.0
    delta_limit: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-5  # that both are told at
    require_private: StrictBool = False  # no part in runs that train without differential privacy here
    require_secure_aggregation: StrictBool = (
        False  # take no part in runs whose coordinator sees single updates
    )
    mask_identifiers: StrictBool = True
    share: tuple[Shared, ...] = ("text", "structured")  # beside photographs, which always take part

    @model_validator(mode="after")
    def _knows_the_questions(self) -> PolicySection:
        unknown = sorted(set(self.statistics) - set(GROUPS))
        if unknown:
            raise ValueError(f"policy.statistics knows {', '.join(GROUPS)}, not {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _limits_noise(self) -> PolicySection:
        if self.statistics_epsilon and not self.epsilon_limit:
            raise ValueError(
                "policy.statistics_epsilon needs policy.epsilon_limit above 0: many answers average noise away"
            )
        return self


class StorageSection(Section):
    """Where the site keeps what it derives from patients, and whether it is encrypted there."""

    state: str = ".fedfundus"
    key: str = ""  # the key's file; "" keeps it in the state folder
    encrypt: StrictBool = True


class ResourcesSection(Section):
    """The machine. processes: that read photographs; 0 is one a core. device, threads, precision: what is trained on,
    whatever a run asks for (client.worker.own_machine). cache_gb: disk space (1e9 bytes) of kept features, whatever a
    run asks for; 0 keeps none. preset: the model that `check` estimates and `describe` assumes.
    """

    processes: Annotated[int, Field(ge=0, le=256)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: CUDA where there is one
    threads: Annotated[int, Field(ge=0, le=256)] = 0  # of PyTorch on the processor; 0: by a probe
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"  # auto: reduced where a probe gains by it
    cache_gb: NonNegative = 20.0
    preset: str = "paper"

    @model_validator(mode="after")
    def _knows_the_preset(self) -> ResourcesSection:
        if self.preset not in presets():
            raise ValueError(f"resources.preset must be one of {', '.join(presets())}")
        return self


class RetentionSection(Section):
    """Days after which what is derived from patients is deleted; 0 keeps it until `purge`."""

    caches: Natural = 90
    worker: Natural = 365
    measurements: Natural = 365
    quarantine: Natural = 365


class SiteConfig(Section):
    """The whole of site.toml. file: where it was read; options: the [data.ADAPTER] section as it stands there."""

    site: Identity
    data: DataSection
    split: SplitSection = SplitSection()
    policy: PolicySection = PolicySection()
    storage: StorageSection = StorageSection()
    resources: ResourcesSection = ResourcesSection()
    retention: RetentionSection = RetentionSection()
    file: Path
    options: dict[str, Any] = Field(default_factory=dict)

    def path(self, name: str) -> Path:
        """A path of the file, taken from the folder the file lies in; ~ and $VARIABLES are expanded."""
        return (self.file.parent / Path(os.path.expandvars(name)).expanduser()).resolve()

    @property
    def folder(self) -> Path:
        """The folder of the data."""
        return self.path(self.data.folder)

    @property
    def state(self) -> Path:
        """The folder of what the site keeps."""
        return self.path(self.storage.state)

    @property
    def key(self) -> Path:
        """The file of the site's key."""
        return self.path(self.storage.key) if self.storage.key else self.state / "site.key"


def load_site(file: Path) -> SiteConfig:
    """The configuration in a site.toml. Raises ConfigError naming the key, the value and the fix."""
    file = Path(file)
    tree = read_toml(file)
    for name in ("file", "options"):
        if name in tree:
            raise ConfigError("there is no such configuration key", where=name, fix=_FIX)
    data = tree.get("data", {})
    sections: dict[str, Any] = {}
    if isinstance(data, Mapping):
        sections = {key: value for key, value in data.items() if isinstance(value, Mapping)}
        if unknown := _unknown_adapters(sections):
            name, known = unknown
            raise ConfigError(
                f"there is no adapter called {name!r}",
                where=f"data.{name}",
                fix=f"use one of {', '.join(known)}",
            )
        tree["data"] = {key: value for key, value in data.items() if key not in sections}
    config = validated(SiteConfig, tree | {"file": file.resolve()}, fix=_FIX, keys=_FIX)
    return config.model_copy(update={"options": dict(sections.get(config.data.adapter, {}))})


def _unknown_adapters(names: Iterable[str]) -> tuple[str, list[str]] | None:
    """The first of these names that no adapter has, with those that there are; None where each has one."""
    if not (others := set(names) - SHIPPED_ADAPTERS):
        return None
    from client.adapters import adapters

    known = sorted(adapters())
    return (unknown[0], known) if (unknown := sorted(others - set(known))) else None
