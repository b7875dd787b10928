from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.vault import OVERHEAD, Vault, is_sealed
from shared_model.errors import DataError

KEY = bytes(range(32))
LABEL = "quarantine/one"


@given(st.binary(max_size=300), st.text(max_size=20))
def test_what_was_sealed_opens_as_it_was_and_costs_a_fixed_number_of_bytes(
    content: bytes, label: str
) -> None:
    sealed = Vault(KEY).seal(content, label)
    assert Vault(KEY).open(sealed, label) == content
    assert len(sealed) == len(content) + OVERHEAD
    assert is_sealed(sealed)


def test_the_same_content_is_never_sealed_to_the_same_bytes_and_does_not_show() -> None:
    vault = Vault(KEY)
    content = b"patient 00417 " * 10
    first, second = vault.seal(content, LABEL), vault.seal(content, LABEL)
    assert first != second
    assert b"00417" not in first + second


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_bit_flipped_anywhere_is_noticed(content: bytes, data: st.DataObject) -> None:
    vault = Vault(KEY)
    sealed = bytearray(vault.seal(content, LABEL))
    position = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(DataError):
        vault.open(bytes(sealed), LABEL)


def test_a_file_cut_at_any_byte_is_said_to_be_truncated() -> None:
    vault = Vault(KEY)
    sealed = vault.seal(b"some rows", LABEL)
    for length in range(len(sealed)):
        with pytest.raises(DataError, match="truncated"):
            vault.open(sealed[:length], LABEL)


@given(st.binary(max_size=200))
def test_bytes_from_anywhere_are_refused_and_nothing_else_happens(content: bytes) -> None:
    with pytest.raises(DataError):
        Vault(KEY).open(content, LABEL)


def test_bytes_after_the_end_are_noticed() -> None:
    vault = Vault(KEY)
    with pytest.raises(DataError, match="altered"):
        vault.open(vault.seal(b"rows", LABEL) + b"x", LABEL)


def test_another_key_is_told_from_an_altered_file() -> None:
    sealed = Vault(KEY).seal(b"rows", LABEL)
    with pytest.raises(DataError, match="another key") as caught:
        Vault(os.urandom(32)).open(sealed, LABEL, where="/site/quarantine.csv")
    assert "[storage] key" in caught.value.fix
    assert caught.value.where == "/site/quarantine.csv"
    assert "/site" not in caught.value.what


def test_one_file_cannot_stand_in_for_another() -> None:
    vault = Vault(KEY)
    for label in ("quarantine/two", "excluded", "", "quarantine"):
        with pytest.raises(DataError, match="put in its place"):
            vault.open(vault.seal(b"rows", LABEL), label)


def test_a_plain_file_and_a_later_format_are_called_what_they_are() -> None:
    vault = Vault(KEY)
    with pytest.raises(DataError, match="should be sealed is not"):
        vault.open(b"row,record,column,reason\n" * 5, LABEL)
    sealed = bytearray(vault.seal(b"rows", LABEL))
    sealed[3] = 9
    with pytest.raises(DataError, match="version 9"):
        vault.open(bytes(sealed), LABEL)


def test_every_purpose_has_a_key_of_its_own() -> None:
    vault = Vault(KEY)
    keys = {vault._derived(purpose) for purpose in ("seal\0one", "seal\0two", "name of the key")}
    assert len(keys) == 3
    assert KEY not in keys


def test_neither_text_form_nor_errors_show_the_key() -> None:
    vault = Vault(KEY)
    assert KEY.hex() not in repr(vault) + str(vault)
    with pytest.raises(ValueError, match="32 bytes, not 5"):
        Vault(b"short")
