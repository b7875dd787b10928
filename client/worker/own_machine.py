"""What a deployed site computes on: its operator's word, else its own probe; of a run plan, only the wish for fp32.

Device, threads and number format are the machine's matter, and the coordinator does not know the machine. fp32 is what
every machine has, and a federation that wants no reduced precision can have that; whoever asks for more than a machine
can do, or for threads beside other work that it does not see, is not asked. site.toml has the last word on all three.
"""

from __future__ import annotations

from client.site.config import SiteConfig
from client.training.machine import device_of
from shared_model.config.runtime import RuntimeConfig
from shared_model.errors import ConfigError


def own_runtime(config: SiteConfig, asked: RuntimeConfig) -> RuntimeConfig:
    """The [runtime] of a run at this site. asked: the run plan's, or a preset's."""
    own = config.resources
    precision = "fp32" if own.precision == "auto" and asked.precision == "fp32" else own.precision
    return asked.model_copy(update={"device": own.device, "threads": own.threads, "precision": precision})


def require_machine(config: SiteConfig) -> None:
    """Raise ConfigError, naming file and key, for a device or a format of [resources] that this machine has not."""
    own = config.resources
    try:
        device_of(RuntimeConfig(device=own.device, precision=own.precision))
    except ConfigError as error:
        key = error.where.replace("runtime.", "resources.")
        raise ConfigError(error.what, where=f"{config.file}: {key}", fix=error.fix) from None
