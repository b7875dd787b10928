from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.vault import Journal, Vault, journal
from shared_model.errors import DataError, RunError

VAULT = Vault(bytes(32))
BOTH = pytest.mark.parametrize("vault", [VAULT, None], ids=["sealed", "plain"])
RECORDS = [b"first", b"", b"third, longer than the others" * 3]


def written(path: Path, vault: Vault | None, records: list[bytes] = RECORDS) -> Path:
    with Journal(path, vault) as made:
        for record in records:
            made.append(record)
    return path


@BOTH
def test_records_come_back_in_order_also_after_opening_again(tmp_path: Path, vault: Vault | None) -> None:
    path = written(tmp_path / "journal", vault)
    with Journal(path, vault, durable=True) as again:
        assert list(again.records()) == RECORDS
        again.append(b"fourth")
        assert list(again.records()) == [*RECORDS, b"fourth"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert (b"third" in path.read_bytes()) == (vault is None)


def test_a_journal_that_does_not_exist_is_empty_and_is_not_made_by_reading(tmp_path: Path) -> None:
    absent = Journal(tmp_path / "journal", VAULT)
    assert list(absent.records()) == []
    assert absent.made() is None
    assert not (tmp_path / "journal").exists()


@BOTH
def test_each_append_is_there_for_another_reader_at_once(tmp_path: Path, vault: Vault | None) -> None:
    writer = Journal(tmp_path / "journal", vault)
    for number in range(3):
        writer.append(b"%d" % number)
        assert len(list(Journal(tmp_path / "journal", vault).records())) == number + 1
    writer.close()


@BOTH
def test_a_tail_torn_at_any_byte_is_dropped_and_cut_off_before_the_next_record(
    tmp_path: Path, vault: Vault | None
) -> None:
    path = tmp_path / "journal"
    ends = [0]
    for number in range(len(RECORDS)):
        written(path, vault, RECORDS[number : number + 1])
        ends.append(path.stat().st_size)
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        left = RECORDS[: sum(end <= length for end in ends[1:])]
        assert list(Journal(path, vault).records()) == left
        written(path, vault, [b"next"])
        assert list(Journal(path, vault).records()) == [*left, b"next"]


@BOTH
def test_zeros_that_a_crash_left_at_the_end_are_a_torn_tail(tmp_path: Path, vault: Vault | None) -> None:
    path = written(tmp_path / "journal", vault)
    with path.open("ab") as stream:
        stream.write(bytes(100))
    written(path, vault, [b"next"])
    assert list(Journal(path, vault).records()) == [*RECORDS, b"next"]


@BOTH
def test_a_bit_flipped_anywhere_is_an_error(tmp_path: Path, vault: Vault | None) -> None:
    path = written(tmp_path / "journal", vault, [b"one", b"two"])
    whole = path.read_bytes()
    for position in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[position // 8] ^= 1 << position % 8
        path.write_bytes(flipped)
        with pytest.raises(DataError):
            list(Journal(path, vault).records())
        with pytest.raises(DataError):
            Journal(path, vault).append(b"more")


@given(st.binary(max_size=120))
def test_bytes_from_anywhere_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        assert list(Journal(path, VAULT).records()) == []


@BOTH
def test_a_record_taken_out_moved_repeated_or_put_in_from_another_journal_is_noticed(
    tmp_path: Path, vault: Vault | None
) -> None:
    records = [b"one", b"two", b"six"]  # of one length, so that only their places tell them apart
    path = written(tmp_path / "journal", vault, records)
    whole = path.read_bytes()
    start = journal._HEADER.size
    size = (len(whole) - start) // 3
    head, one, two, three = whole[:start], *(whole[start + size * n :][:size] for n in range(3))
    written(tmp_path / "again", vault, records)
    foreign = (tmp_path / "again").read_bytes()[start : start + size]
    for forged in ([one, three], [two, one, three], [one, one, two], [two, three], [foreign, two, three]):
        path.write_bytes(head + b"".join(forged))
        with pytest.raises(DataError):
            list(Journal(path, vault).records())


def test_a_damaged_record_is_named_by_its_number_and_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "journal", VAULT)
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DataError, match="altered") as caught:
        list(Journal(path, VAULT).records())
    assert caught.value.where == f"{path}: record 3"


def test_another_key_does_not_open_it(tmp_path: Path) -> None:
    path = written(tmp_path / "journal", VAULT)
    with pytest.raises(DataError, match="another key"):
        list(Journal(path, Vault(bytes(31) + b"x")).records())


@BOTH
def test_a_disk_that_fills_up_in_the_middle_of_a_record_costs_that_record_only(
    tmp_path: Path, vault: Vault | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all = journal._write_all

    def half(stream: object, content: bytes) -> None:
        write_all(stream, content[: len(content) // 2])  # type: ignore[arg-type]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Journal(tmp_path / "journal", vault) as made:
        made.append(b"kept")
        with monkeypatch.context() as patch:
            patch.setattr(journal, "_write_all", half)
            with pytest.raises(RunError, match="disk is full"):
                made.append(b"lost")
        made.append(b"after")
        assert list(made.records()) == [b"kept", b"after"]


@BOTH
def test_rewriting_keeps_when_the_journal_was_begun_and_leaves_nothing_of_what_went(
    tmp_path: Path, vault: Vault | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal.time, "time", lambda: 1_700_000_000.5)
    made = Journal(tmp_path / "journal", vault)
    made.append(b"patient one")
    made.append(b"patient two")
    monkeypatch.setattr(journal.time, "time", lambda: 1_800_000_000.0)
    made.rewrite([b"patient two"])
    made.append(b"patient three")
    made.close()
    assert list(made.records()) == [b"patient two", b"patient three"]
    assert made.made() == 1_700_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]
    assert b"patient one" not in (tmp_path / "journal").read_bytes()
