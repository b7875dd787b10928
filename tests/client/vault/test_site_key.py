from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from client.vault.key import create_key, is_key, load_key
from shared_model.errors import DataError


def test_a_key_is_32_random_bytes_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "site.key"
    old = os.umask(0)
    try:
        key = create_key(path)
    finally:
        os.umask(old)
    assert len(key) == 32
    assert key != create_key(tmp_path / "other.key")
    assert load_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    text = path.read_text("ascii")
    assert text.startswith("fedfundus site key 1: keep it secret")
    assert len(text.splitlines()) == 2
    assert is_key(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_open_to_others_is_refused_with_the_command_that_closes_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "the key"
    create_key(path)
    path.chmod(mode)
    with pytest.raises(DataError, match=f"others than its owner \\(mode {mode:o}\\)") as caught:
        load_key(path)
    assert caught.value.fix == f"Run: chmod 600 {shlex.quote(str(path))}"
    path.chmod(0o400)
    load_key(path)


def test_a_systemd_credential_is_trusted_to_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = create_key(tmp_path / "credentials" / "fedfundus")
    (tmp_path / "credentials" / "fedfundus").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert load_key(tmp_path / "credentials" / "fedfundus") == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "fedfundus site key 1\n",
        "fedfundus site key 1\nAAAA\n",
        "x\n" + "A" * 43 + "=\n",
        "\xff",
    ],
)
def test_a_file_that_is_no_key_is_said_to_be_none_without_its_content(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.key"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(DataError, match="not one, or it is damaged") as caught:
        load_key(path)
    assert "secret" not in str(caught.value)


def test_a_key_that_is_absent_or_a_folder_is_said_to_be_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            load_key(path)
