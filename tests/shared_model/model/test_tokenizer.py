from __future__ import annotations

from collections.abc import Callable

import pytest

from shared_model.errors import ConfigError
from shared_model.model import Tokenizer, build_model, load_tokenizer


def test_a_note_becomes_cls_tokens_sep(tokenizer: Tokenizer) -> None:
    ids = tokenizer.ids("There are drusens in the retina.")
    names = tokenizer.backend.convert_ids_to_tokens(ids)
    assert (names[0], names[-1]) == ("[CLS]", "[SEP]")
    assert "[UNK]" not in names
    assert tokenizer.ids("") == [ids[0], ids[-1]]


def test_the_vocabulary_is_cased_and_spells_what_it_does_not_know(tokenizer: Tokenizer) -> None:
    assert tokenizer.ids("Retina") != tokenizer.ids("retina")
    names = tokenizer.backend.convert_ids_to_tokens(tokenizer.ids("Xyzzyq"))
    assert "[UNK]" not in names
    assert len(names) > 3


def test_a_long_note_is_cut_at_the_maximum_and_keeps_its_end(tokenizer: Tokenizer) -> None:
    ids = tokenizer.ids("retina " * 500)
    assert len(ids) == 48
    assert ids[-1] == tokenizer.ids("")[-1]


def test_a_batch_is_padded_to_its_longest_note(tokenizer: Tokenizer) -> None:
    batch = tokenizer(["", "a scar in the retina"])
    assert batch.ids.shape == batch.mask.shape
    assert batch.mask.sum(dim=1).tolist() == [2, batch.ids.shape[1]]
    assert (batch.ids[0, 2:] == tokenizer.padding).all()


def test_a_vocabulary_larger_than_the_encoders_is_refused(small_config: Callable[..., object]) -> None:
    model = build_model(small_config("model.text.vocabulary=100").model)
    with pytest.raises(ConfigError, match=r"the text encoder 100[\s\S]*model\.text\.vocabulary"):
        load_tokenizer(model)
