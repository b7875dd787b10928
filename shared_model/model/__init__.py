"""The fusion model: three encoders, a fusion transformer, a joint embedding, grading heads and two decoders."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared_model.model.build import build_model
    from shared_model.model.fusion_model import Encoding, FusionModel, TextBatch
    from shared_model.model.tokenizer import Tokenizer, load_tokenizer

__all__ = [
    "Encoding",
    "FusionModel",
    "TextBatch",
    "Tokenizer",
    "build_model",
    "load_tokenizer",
]

_MODULES = {
    "Encoding": "fusion_model",
    "FusionModel": "fusion_model",
    "TextBatch": "fusion_model",
    "Tokenizer": "tokenizer",
    "build_model": "build",
    "load_tokenizer": "tokenizer",
}


def __getattr__(name: str) -> Any:
    """Each name on first use: a module here that needs no torch must not wait seconds for those that do."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
