"""One typed, frozen configuration per run: defaults, then preset, then a TOML file, then `--set key=value`."""

from shared_model.config.load import load_config, to_toml
from shared_model.config.schema import Config, LossConfig, ModelConfig, TrainingConfig

__all__ = ["Config", "LossConfig", "ModelConfig", "TrainingConfig", "load_config", "to_toml"]
