from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.site.pseudonyms import Pseudonyms
from client.site.state import SiteState
from client.vault.key import create_key
from shared_model.errors import DataError, RunError


def opened(folder: Path, *, encrypt: bool = True) -> SiteState:
    return SiteState.open(folder / "state", folder / "site.key", encrypt=encrypt)


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("encrypt", [True, False])
def test_folder_key_and_files_are_closed_to_others_whatever_the_umask(tmp_path: Path, encrypt: bool) -> None:
    old = os.umask(0)
    try:
        state = opened(tmp_path, encrypt=encrypt)
        state.write("quarantine.csv", b"row")
        state.write("answers/one.json", b"{}")
        with state.journal("participation") as journal, state.lock("check"):
            journal.append(b"entry")
    finally:
        os.umask(old)
    assert modes(tmp_path) == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (state.folder, state.folder / "answers")} == {0o700}
    assert (tmp_path / "site.key").exists() == encrypt


def test_an_existing_folder_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    assert opened(tmp_path).folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_holds_other_things_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state" / "thesis.docx").write_text("mine")
    for key in (tmp_path / "site.key", tmp_path / "state" / "site.key"):
        with pytest.raises(DataError, match="already holds other things"):
            SiteState.open(tmp_path / "state", key)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["thesis.docx"]


def test_the_key_may_lie_in_the_folder_beforehand_under_any_name(tmp_path: Path) -> None:
    create_key(tmp_path / "state" / "our.key")
    SiteState.open(tmp_path / "state", tmp_path / "state" / "our.key").write("excluded", b"{}")


def test_what_was_written_is_read_by_another_process_and_is_sealed_on_disk(tmp_path: Path) -> None:
    state = opened(tmp_path)
    assert state.read("excluded") is None
    state.write("excluded", b"patient 00417")
    assert opened(tmp_path).read("excluded") == b"patient 00417"
    assert b"00417" not in state.path("excluded").read_bytes()
    assert state.remove("excluded")
    assert not state.remove("excluded")
    assert state.read("excluded") is None


def test_a_write_that_is_interrupted_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = opened(tmp_path)
    state.write("excluded", b"before")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            state.write("excluded", b"after")
    assert state.read("excluded") == b"before"
    assert not [path for path in state.folder.iterdir() if path.name.startswith(".")]


def test_an_altered_swapped_or_cut_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write("excluded", b"one")
    state.write("quarantine.csv", b"two")
    path = state.path("excluded")
    whole = path.read_bytes()
    for content in (
        whole[:-1],
        whole[:-1] + bytes([whole[-1] ^ 1]),
        state.path("quarantine.csv").read_bytes(),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            state.read("excluded")
        assert caught.value.where == str(path)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../key", "a/../b", "a//b", ".hidden", "a b", "ü", "a/"])
def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    state = opened(tmp_path)
    for use in (state.read, state.path, state.remove, state.journal):
        with pytest.raises(ValueError, match="not a name within"):
            use(name)
    with pytest.raises(ValueError, match="not a name within"):
        state.write(name, b"")


def test_a_missing_key_is_never_replaced_and_what_is_lost_is_said(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write("excluded", b"{}")
    key = (tmp_path / "site.key").read_bytes()
    (tmp_path / "site.key").unlink()
    with pytest.raises(DataError, match="cannot be read: exclusions, salt") as caught:
        opened(tmp_path)
    assert caught.value.where == str(tmp_path / "site.key")
    assert "from the copy you keep apart" in caught.value.fix
    assert not (tmp_path / "site.key").exists()
    (tmp_path / "site.key").write_bytes(key)
    (tmp_path / "site.key").chmod(0o600)
    assert opened(tmp_path).read("excluded") == b"{}"


def test_another_sites_key_opens_nothing(tmp_path: Path) -> None:
    opened(tmp_path)
    SiteState.open(tmp_path / "other", tmp_path / "other.key")
    with pytest.raises(DataError, match="another key"):
        SiteState.open(tmp_path / "state", tmp_path / "other.key")


def test_a_missing_salt_is_not_replaced_where_exclusions_rest_on_it(tmp_path: Path) -> None:
    state = opened(tmp_path)
    (state.folder / "salt").unlink()
    opened(tmp_path).write("excluded", b"{}")
    (state.folder / "salt").unlink()
    with pytest.raises(DataError, match="no longer fit what was kept: exclusions") as caught:
        opened(tmp_path)
    assert "exclude again every patient" in caught.value.fix


def test_sealed_and_plain_are_not_taken_for_each_other(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(DataError, match="is sealed"):
        opened(tmp_path, encrypt=False)
    SiteState.open(tmp_path / "plain", tmp_path / "unused.key", encrypt=False)
    with pytest.raises(DataError, match="kept without encryption"):
        SiteState.open(tmp_path / "plain", tmp_path / "unused.key")
    with pytest.raises(DataError, match="should be sealed is not"):
        SiteState.open(tmp_path / "plain", tmp_path / "site.key")
    assert not (tmp_path / "unused.key").exists()


def _patient(folder: Path) -> str:
    return opened(folder).patient("417")


def test_processes_that_begin_together_agree_on_key_and_salt(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(_patient, [tmp_path] * 8))) == 1


def test_pseudonyms_are_stable_and_another_sites_are_others(tmp_path: Path) -> None:
    state = opened(tmp_path)
    assert state.patient("417") == opened(tmp_path).patient(" 417\n")
    assert state.visit(state.patient("417"), "2021") == opened(tmp_path).visit(state.patient("417"), "2021")
    other = SiteState.open(tmp_path / "other", tmp_path / "other.key")
    assert state.patient("417") != other.patient("417")
    assert state.record("417") != other.record("417")


def test_kinds_and_divisions_of_the_same_text_have_other_pseudonyms(tmp_path: Path) -> None:
    state = opened(tmp_path)
    names = [state.patient("ab"), state.record("ab"), state.visit("a", "b"), state.visit("ab", "ab")]
    names += [state.visit("aa", "b"), state.visit("a", "ab"), state.patient("AB"), state.patient("visitab")]
    assert len(set(names)) == len(names)
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)


@given(st.text(min_size=7, max_size=40).filter(str.strip))
def test_a_pseudonym_never_equals_or_holds_the_id(identifier: str) -> None:
    pseudonyms = Pseudonyms(bytes(32))
    name = pseudonyms.of("patient", identifier)
    assert identifier.strip() not in name
    assert name not in identifier


def test_secrets_are_stable_and_others_for_every_purpose_and_site(tmp_path: Path) -> None:
    state = opened(tmp_path)
    secrets = [state.secret("ledger"), state.secret("answers")]
    secrets.append(SiteState.open(tmp_path / "other", tmp_path / "site.key").secret("ledger"))
    assert len(set(secrets)) == 3
    assert {len(secret) for secret in secrets} == {32}
    assert opened(tmp_path).secret("ledger") == secrets[0]


def test_an_empty_id_has_no_pseudonym(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="identifier is empty"):
        opened(tmp_path).patient("  ")


def test_two_commands_of_a_site_exclude_each_other_and_the_second_is_told_of_the_first(
    tmp_path: Path,
) -> None:
    state = opened(tmp_path)
    with state.lock("check"), pytest.raises(RunError, match=rf"\(check, process {os.getpid()}\)") as caught:
        opened(tmp_path).lock("exclude").__enter__()
    assert "Wait until it ends" in caught.value.fix


def test_a_command_may_lock_again_what_it_holds_and_holds_it_to_the_end(tmp_path: Path) -> None:
    state = opened(tmp_path)
    with state.lock("check"):
        with state.lock("retention"):
            pass
        with pytest.raises(RunError, match="check"):
            opened(tmp_path).lock("exclude", wait=0.2).__enter__()
    with opened(tmp_path).lock("exclude"):
        pass


HOLDER = """
import sys, time
from pathlib import Path
from multiprocessing import get_context
from client.site.lock import SiteLock
with SiteLock(Path(sys.argv[1])).hold("check"):
    child = get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    print(child.pid, flush=True)
    time.sleep(60)
"""


def test_a_lock_ends_with_its_process_even_if_a_helper_it_forked_lives_on(tmp_path: Path) -> None:
    state = opened(tmp_path)
    command = [sys.executable, "-c", HOLDER, str(state.folder / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        helper = int(holder.stdout.readline())
        try:
            with pytest.raises(RunError, match=rf"\(check, process {holder.pid}\)"):
                state.lock("exclude").__enter__()
            holder.kill()
            holder.wait()
            os.kill(helper, 0)
            with state.lock("exclude"):
                pass
        finally:
            os.kill(helper, 9)


def test_a_key_that_cannot_be_written_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it was waited for"))
    with pytest.raises(RunError, match="could not be written"):
        SiteState.open(tmp_path / "state", Path("/proc/nowhere/site.key"))
