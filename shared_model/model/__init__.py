"""The fusion model: three encoders, a fusion transformer, a joint embedding, grading heads and two decoders."""

from shared_model.model.build import build_model
from shared_model.model.fusion_model import Encoding, FusionModel, TextBatch
from shared_model.model.tokenizer import Tokenizer, find_tokenizer, load_tokenizer

__all__ = [
    "Encoding",
    "FusionModel",
    "TextBatch",
    "Tokenizer",
    "build_model",
    "find_tokenizer",
    "load_tokenizer",
]
