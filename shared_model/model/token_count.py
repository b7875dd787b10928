"""How many tokens notes have, for counting them before a run: no model is built, and torch is not loaded.

The packaged vocabulary is cut by the tokenizers library alone, in the same way as shared_model.model.tokenizer does
for training. Only a text encoder whose own tokenizer lies on this machine needs transformers, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from tokenizers import BertWordPieceTokenizer

from shared_model.config.schema import TextEncoderConfig
from shared_model.errors import ConfigError

Count = Callable[[Sequence[str]], list[int]]

_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "config.json")  # one is there, if any is


def token_counter(config: TextEncoderConfig) -> tuple[Count, bool]:
    """Counts the tokens of each of some notes, CLS and SEP not among them.

    With the text encoder's own tokenizer where this machine has it (True), else with the packaged one (False).
    """
    own = config.weights or ("" if config.width else config.name)
    if own and _is_here(own):
        from shared_model.model.tokenizer import read_tokenizer

        try:
            backend = read_tokenizer(own)
        except ConfigError:
            return _packaged(), False
        return lambda notes: [
            len(ids) for ids in backend(list(notes), add_special_tokens=False, verbose=False)["input_ids"]
        ], True
    return _packaged(), False


def _packaged() -> Count:
    with resources.as_file(resources.files("shared_model.model") / "vocabulary.txt") as path:
        backend = BertWordPieceTokenizer(str(path), lowercase=False)
    return lambda notes: [
        len(encoded.ids) for encoded in backend.encode_batch(list(notes), add_special_tokens=False)
    ]


def _is_here(source: str) -> bool:
    """Whether a folder of this name, or what was once fetched of the hub's, may hold a tokenizer."""
    if Path(source).is_dir():
        return True
    from huggingface_hub import try_to_load_from_cache

    try:
        return any(isinstance(try_to_load_from_cache(source, name), str) for name in _FILES)
    except ValueError:  # no name that the hub could have
        return False
