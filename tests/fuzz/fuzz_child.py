"""Feeds hostile inputs to the package in a process of its own, whose memory and time are bounded.

`python fuzz_child.py FOLDER` reads a list of [format, number] from standard input and prints a line of JSON a case
before it is tried and one after it: a case without its second line killed the process. The system's alarm, which no
library can catch, ends a case that hangs.
"""

from __future__ import annotations

import json
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from fuzz_inputs import PICTURES, ROWS, TABLE_OPTIONS, fuzzed, picture

from client.adapters import Loaded, load
from client.adapters.delimited import read_table
from client.data.images import build_image_store
from client.data.pipeline import UnreadablePhotograph, prepare
from shared_model.errors import FedFundusError

SECONDS = 20  # of this process's work for one input; the slowest sound one takes a tenth of a second
WAITING = 300  # seconds of the clock, for an input that makes it wait
MEMORY = 3 * 2**30  # of address space beyond what the imports take
GROWTH = 1200 * 2**20  # bytes the process may ever hold in memory
ADAPTER = {"csv": "brset", "table": "table", "parquet": "table", "json": "deepeyenet", "dicom": "dicom"}
FILE = {
    "csv": "labels_brset.csv", "table": "visits.csv", "parquet": "visits.parquet", "json": "DeepEyeNet_train.json",
    "dicom": "a.dcm",
}  # fmt: skip
ENDING = {"jpeg": "jpg", "png": "png", "tiff": "tif", "bmp": "bmp"}


def site(folder: Path, kind: str, content: bytes) -> dict[str, object]:
    """A folder whose table, or whose second photograph, is the hostile content; the adapter's options."""
    shutil.rmtree(folder, ignore_errors=True)
    photographs = folder / ("eyenet0420/train_set" if kind == "json" else "fundus_photos")
    photographs.mkdir(parents=True)
    if kind == "dicom":
        (folder / "b.dcm").write_bytes(sound("dicom"))
    else:
        for k in range(ROWS):
            picture(np.random.default_rng(k)).save(photographs / f"img{k}.jpg")
    if kind in PICTURES:
        (photographs / "img1.jpg").unlink()
        (photographs / f"img1.{ENDING[kind]}").write_bytes(content)
        content, kind = sound("csv"), "csv"
    (folder / FILE[kind]).write_bytes(content)
    return TABLE_OPTIONS | {"file": FILE[kind]} if ADAPTER[kind] == "table" else {}


def sound(kind: str) -> bytes:
    from fuzz_inputs import SOUND

    return SOUND[kind](np.random.default_rng(0))


def try_case(kind: str, content: bytes, folder: Path) -> str:
    """What became of a case: read, quarantined or refused; an AssertionError where something was lost."""
    outcome = "read"
    if kind in PICTURES:
        outcome = _picture(content)
    options = site(folder, kind, content)
    adapter = ADAPTER.get(kind, "brset")
    try:
        loaded = load(folder, adapter, options=options)
    except FedFundusError as refused:
        if not refused.what or not refused.fix:
            raise AssertionError("a refusal without a word") from refused
        if kind in PICTURES:
            raise AssertionError("one photograph cost the whole folder") from refused
        return "refused"
    _accounted(loaded, folder, adapter)
    try:
        store, bad = build_image_store(loaded.table, folder / "store.npy", 32, processes=1)
    except FedFundusError:
        return "refused"
    gone = set(loaded.table["record_id"]) - set(store.records)
    assert gone == set(bad["record"]), "a photograph is neither in the store nor in quarantine"
    assert bad["reason"].str.strip().all(), "a photograph was set aside without a reason"
    if kind in PICTURES:
        assert ("img1" in gone) == (outcome == "quarantined"), "two readings of the same photograph differ"
        assert gone <= {"img1"}, "a sound photograph was set aside"
    return "quarantined" if len(loaded.quarantine) or len(bad) else outcome


def _picture(content: bytes) -> str:
    try:
        pixels = prepare(content, 32)
    except UnreadablePhotograph as reason:
        if not str(reason).strip():
            raise AssertionError("a photograph was refused without a reason") from reason
        return "quarantined"
    assert pixels.shape == (3, 32, 32), "pixels of another shape"
    assert pixels.dtype == np.uint8, "pixels of another type"
    return "read"


def _accounted(loaded: Loaded, folder: Path, adapter: str) -> None:
    """Every row of the source is among the records or in quarantine with a reason; none is in both."""
    assert loaded.quarantine["reason"].str.strip().all(), "a row was set aside without a reason"
    seen = set(loaded.lines.values()) | set(loaded.quarantine["row"])
    assert set(loaded.table["record_id"]) == set(loaded.lines), "a record without a line"
    table = folder / loaded.source
    parquet = table.suffix == ".parquet" or (table.is_file() and table.read_bytes()[:4] == b"PAR1")
    if adapter in ("brset", "table") and not parquet:
        rows = {row.line for row in read_table(table).rows}
        assert rows == seen, f"rows lost: {len(rows - seen)}; rows invented: {len(seen - rows)}"
        text = table.read_bytes()
        if b'"' not in text and not text.startswith((b"\xff\xfe", b"\xfe\xff")):
            physical = [line for line in text.splitlines()[1:] if line.strip(b",;\t \r\x00")]
            assert len(rows) >= len(physical), "lines of the file that no row accounts for"
    elif parquet:
        import pyarrow.parquet as pq

        assert len(seen) == pq.read_metadata(table).num_rows, "rows of the Parquet file are lost"
    elif adapter == "dicom":
        files = {str(path) for path in folder.rglob("*.dcm")}
        named = set(loaded.table["image_path"]) | set(loaded.unclaimed)
        assert len(files - named) <= len(loaded.quarantine), "a DICOM file is neither read nor set aside"


def run(cases: list[tuple[str, int]], folder: Path) -> Iterator[dict[str, object]]:
    """Before each case its number, after it what became of it."""
    for kind, number in cases:
        name, content = fuzzed(kind, number)
        yield {"kind": kind, "number": number, "name": name}
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, WAITING)
        began = time.process_time()
        try:
            outcome = try_case(kind, content, folder)
        except AssertionError as lost:
            outcome = f"LOST: {lost}"
        except Exception as crash:
            outcome = f"CRASH: {type(crash).__name__}: {str(crash)[:200]} at {_where(crash)}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        held = most_held()
        yield {"outcome": outcome, "seconds": time.process_time() - began, "held": held}


def _where(crash: Exception) -> str:
    trace = crash.__traceback__
    places = []
    while trace is not None:
        places.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(places[-5:])


def most_held() -> int:
    """Bytes of memory this process ever held; getrusage would count what its parent held when it was started."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Run the cases named on standard input."""
    cases, folder = [(kind, number) for kind, number in json.load(sys.stdin)], Path(sys.argv[1])
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for kind in sorted({kind for kind, _ in cases}):
        try_case(
            kind, sound(kind), folder
        )  # whatever is imported late is imported now, and counted as the process's own
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for line in run(cases, folder):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
