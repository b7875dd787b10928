"""Whatever is wrong with a site's data or its configuration, the coordinator hears nothing of a patient."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from boundary import configured, prepared_site, reply, worker_of
from leak_search import leaks
from leak_sites import BIRTH, FOLDER, NAMES, SECRETS, SITES, patient_id

from client.worker import Worker
from shared_model.config import Config
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import PROBLEM, from_records

Break = Callable[[Path], object]


def _append(name: str, text: str) -> Break:
    return lambda folder: (folder / name).write_text((folder / name).read_text("utf-8") + text, "utf-8")


def _lines(name: str, change: Callable[[list[str]], list[str]]) -> Break:
    def spoil(folder: Path) -> None:
        lines = (folder / name).read_text("utf-8").splitlines(keepends=True)
        (folder / name).write_text("".join(change(lines)), "utf-8")

    return spoil


def _write(name: str, content: str | bytes) -> Break:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def _no_photographs(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.suffix in (".jpg", ".dcm"):
            path.unlink()


def _broken_photographs(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.suffix in (".jpg", ".dcm"):
            path.write_bytes(NAMES[0].encode())


def _no_tables(folder: Path) -> None:
    for path in folder.glob("*.[cj]s*"):
        path.unlink()


def _folder_for_a_table(folder: Path) -> None:
    for path in folder.glob("*.[cj]s*"):
        path.unlink()
        path.mkdir()


def _header_lost(lines: list[str]) -> list[str]:
    return lines[1:]


def _name_column(lines: list[str]) -> list[str]:
    """Two columns of the header are a patient's name."""
    return [lines[0].replace("camera", NAMES[0]).replace("nationality", NAMES[0]), *lines[1:]]


def _headless(name: str) -> Break:
    """A table without a header whose first row says the same twice."""
    return _lines(name, lambda lines: [f"{NAMES[0]},{NAMES[0]},{BIRTH}\n", *lines[1:]])


ANY: dict[str, Break] = {
    "no photographs": _no_photographs,
    "broken photographs": _broken_photographs,
    "no tables": _no_tables,
    "a folder for a table": _folder_for_a_table,
}
LABELS, LIST, REPORTS = "labels_brset.csv", "DeepEyeNet_train.json", "laudos Zebulon.csv"
BREAKS: dict[str, dict[str, Break]] = {
    "brset": {
        "header lost": _lines(LABELS, _header_lost),
        "column of a name twice": _lines(LABELS, _name_column),
        "no header, a value twice": _headless(LABELS),
        "quotation mark": _append(LABELS, f'"{NAMES[0]}, {"x" * 200_000}'),
        "split of a name": _write("split.csv", f"patient_id,split\n{patient_id(1)},{NAMES[0]}\n"),
        "split without columns": _write("split.csv", f"{NAMES[0]},{BIRTH}\n"),
        "split twice": _write(
            "split.csv", f"patient_id,split\n{patient_id(1)},test\n{patient_id(1)},train\n"
        ),
        "centres twice": _write(
            "centers.csv", f"patient_id,center\n{patient_id(1)},a\n{patient_id(1)},{NAMES[0]}\n"
        ),
        "centre missing": _write("centers.csv", f"patient_id,center\n{patient_id(1)},\n"),
        "centres, a value twice": _write("centers.csv", f"{NAMES[0]},{NAMES[0]}\n"),
        "all tested on": _write(
            "split.csv", "patient_id,split\n" + "".join(f"{patient_id(k)},test\n" for k in range(30))
        ),
        "another kind of file": _write(LABELS, b"PK\x03\x04" + NAMES[0].encode()),
        "nothing": _write(LABELS, b""),
        "no grade readable": _lines(
            LABELS, lambda lines: [lines[0], *(line.replace(",0,", f",{NAMES[1]},") for line in lines[1:])]
        ),
        "another encoding": _lines(LABELS, lambda lines: [line.replace("a", "\ufffd") for line in lines]),
    },
    "table": {
        "header lost": _lines(REPORTS, _header_lost),
        "no header, a value twice": _headless(REPORTS),
        "quotation mark": _append(REPORTS, f'"{NAMES[0]}, {"x" * 200_000}'),
        "a workbook": _write(REPORTS, b"PK\x03\x04" + NAMES[0].encode()),
        "parquet": _write(REPORTS, b"PAR1" + NAMES[0].encode() + b"PAR1"),
        "nothing": _write(REPORTS, b""),
    },
    "deepeyenet": {
        "not JSON": _append(LIST, NAMES[0]),
        "another shape": _write(LIST, json.dumps({NAMES[0]: 3, BIRTH: [NAMES[1]]})),
        "a text": _write(LIST, json.dumps(NAMES[0])),
        "bytes": _write(LIST, b'[{"' + NAMES[0].encode("utf-16")),
        "nested": _write(LIST, b"[" * 200_000),
    },
    "mbrset": {
        "a workbook": _write("labels_mbrset.csv", b"PK\x03\x04" + NAMES[0].encode()),
        "nothing": _write("labels_mbrset.csv", b""),
    },
    "dicom": {},
}
CONFIGURATIONS = {
    "folder of nowhere": f'\n[storage]\nstate = "{FOLDER}/nowhere/state"\nkey = "/proc/{NAMES[0]}/key"\n',
    "options of a name": f'\n[data.brset]\n"{NAMES[0]}" = "{BIRTH}"\n',
    "a number of words": f'\n[split]\ntrain = "{NAMES[0]}"\n',
    "a key of a name": f'\n["{NAMES[0]}"]\nx = 1\n',
    "not TOML": f"\n{NAMES[0]} = {BIRTH}\n",
    "a list for a folder": f'\n[policy]\nstatistics = ["/dados/{FOLDER}"]\n',
}
CASES = [(kind, name) for kind in SITES for name in (*ANY, *BREAKS[kind])]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_broken_data_say_nothing_of_a_patient(
    kind: str, name: str, tmp_path: Path, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SITES[kind](tmp_path)
    site = configured(folder, kind)
    (BREAKS[kind] | ANY)[name](folder)

    def worker() -> Worker:
        return worker_of(prepared_site(site), small_config(), tmp_path)

    sent, everything = reply("join", worker, Payload(), monkeypatch)
    assert leaks(everything, SECRETS) == [], from_records(sent.content).fields.get(PROBLEM)


@pytest.mark.parametrize("name", list(CONFIGURATIONS))
def test_a_broken_configuration_says_nothing_of_a_patient(
    name: str, tmp_path: Path, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SITES["brset"](tmp_path)

    def worker() -> Worker:
        return worker_of(
            prepared_site(configured(folder, "brset", CONFIGURATIONS[name])), small_config(), tmp_path
        )

    sent, everything = reply("join", worker, Payload(), monkeypatch)
    assert leaks(everything, SECRETS) == [], from_records(sent.content).fields.get(PROBLEM)


def test_a_secret_in_what_an_error_says_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    from shared_model.errors import DataError

    def worker() -> Worker:
        raise DataError(f"{NAMES[2]} has no photograph.", where="", fix="")

    assert leaks(reply("join", worker, Payload(), monkeypatch)[1], SECRETS)
