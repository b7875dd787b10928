from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared_model.config import load_config
from shared_model.model import Tokenizer
from shared_model.model.token_count import token_counter

PAPER = load_config("paper").model.text
WITHOUT_WEIGHTS = load_config("tiny").model.text
CODE = """
import sys
import client.check.check
from shared_model.config import load_config
from shared_model.model.token_count import token_counter
count, own = token_counter(load_config("paper").model.text)
assert count(["There are drusens in the retina."]) and not own
print([name for name in ("torch", "timm", "torchvision", "transformers") if name in sys.modules])
"""


def test_counting_tokens_loads_neither_torch_nor_transformers() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


NOTES = ["Drusen, NPDR 2+. Não há (é)!", "[MASK] [name] \N{CJK UNIFIED IDEOGRAPH-4E00}"]


@given(st.text(max_size=60) | st.sampled_from(NOTES))
def test_the_packaged_vocabulary_counts_as_training_does(tokenizer: Tokenizer, note: str) -> None:
    count, own = token_counter(WITHOUT_WEIGHTS)
    assert not own
    assert count([note, ""]) == [len(tokenizer.backend(note, add_special_tokens=False)["input_ids"]), 0]


def test_an_encoders_own_tokenizer_counts_where_it_is_here(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.backend.save_pretrained(tmp_path)
    count, own = token_counter(PAPER.model_copy(update={"weights": str(tmp_path)}))
    assert own
    assert count(["a scar"]) == token_counter(WITHOUT_WEIGHTS)[0](["a scar"])


def test_a_folder_without_a_tokenizer_is_not_one(tmp_path: Path) -> None:
    _, own = token_counter(PAPER.model_copy(update={"weights": str(tmp_path)}))
    assert not own
    _, own = token_counter(PAPER.model_copy(update={"weights": str(tmp_path / "nowhere")}))
    assert not own
