"""A run's folder: configuration, history, checkpoints and quarantine, written so that a crash loses one round."""

from server.store.run_folder import RunFolder

__all__ = ["RunFolder"]
