from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.check.measure import ABSENT, Measurement, forget, measure
from client.check.measurement import decode, encode
from client.check.reader import read
from client.data.pipeline import UnreadablePhotograph, prepare
from client.vault.journal import Journal
from tests.client.check.drawn import encoded, retina

JPEG, PNG = encoded(retina(0)), encoded(retina(0, (120, 100)), "PNG")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(encoded(retina(number)))
    return tmp_path


def paths(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.iterdir() if path.suffix == ".jpg")


def test_every_photograph_is_measured_in_order_with_progress(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    measured = measure(paths(folder), processes=2, progress=lambda done, total: seen.append((done, total)))
    assert list(measured) == paths(folder)
    assert seen[0] == (0, 6)
    assert seen[-1] == (6, 6)
    first = measured[paths(folder)[0]]
    assert (first.problem, first.width, first.height, first.mode) == ("", 256, 214, "RGB")
    assert len({one.sha256 for one in measured.values()}) == 6
    assert first.red > first.green > first.blue


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"not a photograph", "not an image of a known kind"),
        (JPEG[:-1], "damaged or truncated"),
        (JPEG[: len(JPEG) // 2], "damaged or truncated"),
        (PNG[:-20], "damaged or truncated"),
        (PNG[:400] + b"\0" + PNG[401:], "damaged or truncated"),
    ],
)
def test_what_cannot_be_used_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert reason in measure([str(path)], processes=1)[str(path)].problem


def test_what_is_no_file_is_absent_and_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # would wait for ever
    names = [str(tmp_path / "none"), str(tmp_path), str(tmp_path / "pipe"), "a\0b", "x" * 5000]
    assert {one.problem for one in measure(names, processes=1).values()} == {ABSENT}
    assert "cannot be opened" in read(str(tmp_path)).problem


def test_too_large_a_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(301 * 2**20)
    assert "larger than 300 MB" in measure([str(path)], processes=1)[str(path)].problem


def test_a_second_check_reads_only_what_has_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(folder / "journal", None) as journal:
        first = measure(paths(folder), processes=1, journal=journal)
        monkeypatch.setattr("client.check.measure.Pool", None)  # nothing is read, so none is started
        assert measure(paths(folder), processes=1, journal=journal) == first
        monkeypatch.undo()
        Path(paths(folder)[2]).write_bytes(encoded(retina(77)))
        again = measure(paths(folder), processes=1, journal=journal)
    changed = [path for path in first if again[path] != first[path]]
    assert changed == [paths(folder)[2]]


def test_what_is_forgotten_is_read_anew(folder: Path) -> None:
    with Journal(folder / "journal", None) as journal:
        first = measure(paths(folder), processes=1, journal=journal)
        forget(journal, paths(folder)[:2])
        held = b"".join(journal.records())
        assert first[paths(folder)[0]].signature not in held
        assert first[paths(folder)[2]].signature in held


def test_absent_photographs_are_looked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "late.jpg"
    with Journal(tmp_path / "journal", None) as journal:
        assert measure([str(path)], processes=1, journal=journal)[str(path)].problem == ABSENT
        path.write_bytes(JPEG)
        assert measure([str(path)], processes=1, journal=journal)[str(path)].problem == ""


def test_workers_import_nothing_heavy() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", "import client.check.reader, sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    modules = set(listed.stdout.split())
    assert "PIL.Image" in modules
    assert not modules & {"torch", "pandas", "timm", "matplotlib", "scipy", "pydantic", "pydicom", "typer"}


def test_ctrl_c_stops_at_once_and_keeps_what_was_read(folder: Path) -> None:
    many = folder / "many"
    many.mkdir()
    data = encoded(retina(1, (1600, 1400)))
    for number in range(3000):
        os.link(folder / "0.jpg", many / f"{number}.jpg") if number else (many / "0.jpg").write_bytes(data)
    script = (
        "import sys, glob\nfrom pathlib import Path\nfrom client.check.measure import measure\n"
        "from client.vault.journal import Journal\n"
        f"journal = Journal(Path({str(folder)!r}) / 'j', None)\n"
        f"measure(sorted(glob.glob({str(many)!r} + '/*')), processes=2, journal=journal,"
        " progress=lambda done, total: print(done, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    done = 0
    while done < 200:
        done = int(process.stdout.readline())
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read().split()
    process.wait()
    assert time.monotonic() - started < 2
    last = int(rest[-1]) if rest else done
    held = b"".join(Journal(folder / "j", None).records())
    assert held.count(measure([str(many / "1.jpg")], processes=1)[str(many / "1.jpg")].signature) >= last - 1


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([JPEG, PNG, encoded(retina(3, (60, 50)), "TIFF"), encoded(retina(3, (60, 50)), "BMP")]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    st.floats(0.02, 1),
)
def test_a_mutated_file_is_measured_where_training_reads_it_and_refused_where_it_refuses(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, flips: list[tuple[float, int]], keep: float
) -> None:
    mutated = bytearray(data)
    for where, value in flips:
        mutated[int(where * (len(mutated) - 1))] = value
    content = bytes(mutated[: int(keep * len(mutated)) + 1])
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(content)
    measured = read(str(path))
    try:
        prepare(content, 64)
        reason = ""
    except UnreadablePhotograph as refused:
        reason = str(refused)
    assert bool(measured.problem) == bool(reason)
    assert measured.problem == reason
    assert decode(encode(measured)).sha256 == measured.sha256


@given(st.binary(max_size=300), st.integers(0, 200))
def test_bytes_of_a_worker_that_was_taken_over_are_a_measurement_or_an_error(junk: bytes, at: int) -> None:
    whole = encode(Measurement(problem="damaged", sha256="ab", identifiers=("exif.Artist",)))
    for content in (junk, whole[:at] + junk + whole[at:], whole[:at]):
        try:
            assert isinstance(decode(content), Measurement)
        except ValueError:
            continue


def test_a_measurement_survives_its_bytes() -> None:
    random = np.random.default_rng(0)
    made = Measurement(
        sha256="00", width=3, height=2, mode="RGB", field=(0.0, 0.25, 1.0, 0.5), aspect=1.5, lit=0.5, red=200.0,
        green=100.0, blue=50.0, warm=0.75, signature=random.bytes(4096), identifiers=("exif.GPS",), dated=("d",),
    )  # fmt: skip
    assert decode(encode(made)) == made
