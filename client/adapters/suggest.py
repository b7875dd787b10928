"""Suggests how a table could be mapped, from the names of its columns alone, for a person to correct.

Only `fedfundus-site init` asks: reading never guesses. Every suggestion stands in site.toml as text, where the
operator sees it beside the columns that were left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from client.adapters.delimited import columns_of
from client.adapters.parquet import read_parquet
from client.adapters.values import plain
from shared_model.errors import FedFundusError
from shared_model.records import FINDINGS

_TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")

_EXAM = r"(?:exam(?:e|ination)?|visita?|study|encounter|atendimento|consulta|acquisition|captura)"
_ONE = r"(?:image|photo(?:graph)?|picture|file|imagem|foto(?:grafia)?|arquivo)"

# Field of the mapping -> what a column's name looks like, small letters without accents, words apart.
_LOOKS_LIKE = {
    "image": rf"{_ONE}(?: ?(?:name|id|file|path))?|filename|(?:nome|id) d[aoe] {_ONE}|{_ONE} d[aoe] {_ONE}",
    "patient": r"(?:patient|paciente|subject|person|mrn)(?: ?(?:id|code|no|number|codigo))?"
    r"|(?:(?:id|codigo|numero|registro) d[oe] )?(?:paciente|prontuario)",
    "visit": r"(?:visit|encounter|study|visita|atendimento|exam)(?: ?(?:id|no|number))?",
    "exam_date": rf"{_EXAM} ?(?:date|data)|(?:date|data)(?: (?:of|of the|d[aoe]))? ?{_EXAM}",
    "eye": r"eye|laterality|lateralidade|olho|exam eye",
    "age": r"(?:patient )?age|idade(?: d[oe] paciente)?|(?:age|idade)(?: (?:in|em))? (?:years|anos)",
    "birth_date": r"(?:date of birth|birth ?date|dob|(?:data de )?nascimento)",
    "sex": r"(?:patient )?sex|gender|sexo|genero",
    "diabetes": r"diabetes|dm",
    "diabetes_duration": r"(?:diabetes|dm) ?(?:duration|time|years)(?: y)?|(?:duration of|tempo de) (?:diabetes|dm)",
    "diagnosis_date": r"(?:diagnosis|diabetes) ?date|date of (?:diabetes )?diagnosis|data d[oe] diagnostico",
    "insulin": r"insulin[ea]?|insulina",
    "icdr": r"(?:(?:dr|final) )?icdr|(?:dr|rd|retinopathy|diabetic retinopathy) ?(?:grade|level|severity)"
    r"|grau (?:d[ae] )?(?:rd|retinopatia)(?: diabetica)?",
    "sdrg": r"(?:dr )?sdrg",
    "note": r"notes?|report|description|laudo|relatorio|observac(?:ao|oes)|history|text",
    "camera": r"camera|device|aparelho|equipamento",
    "center": r"cent(?:er|re)|clinic|hospital|unidade",
    "split": r"(?:official )?split",  # "set" may be of anything, and a word that is no split costs its row
}
# Field -> those that say the same, of which a mapping has one.
_SAME = {"birth_date": "age", "diagnosis_date": "diabetes_duration"}
_FINDINGS = {name: name.replace("_", " ").rstrip("s") + "s?" for name in FINDINGS}


def table_of(folder: Path) -> Path | None:
    """The largest table in the folder, which is most likely the one with the records."""
    try:
        found = [
            entry for entry in folder.iterdir() if entry.suffix.casefold() in _TABLES and entry.is_file()
        ]
        return max(found, key=lambda entry: (entry.stat().st_size, entry.name), default=None)
    except OSError:
        return None


def suggest(folder: Path) -> str:
    """The section [data.table] for the folder: what its names suggest, then all that can be mapped, as comments."""
    path = table_of(folder)
    columns = _columns(path)
    guessed = {field: next(iter(_named(columns, looks)), None) for field, looks in _LOOKS_LIKE.items()}
    mapped = {field: column for field, column in guessed.items() if column is not None}
    doubtful = {field: why for field in _SAME if field in mapped and (why := _doubt(field, mapped))}
    commented = [f"# {field} = {_quoted(mapped.pop(field))}  # {why}" for field, why in doubtful.items()]
    mapped.setdefault("image", "the column that names the photograph")
    findings = {name: next(iter(_named(columns, looks)), None) for name, looks in _FINDINGS.items()}
    present = {name: column for name, column in findings.items() if column is not None}
    left = [name for name in columns if name not in (*guessed.values(), *present.values())]
    lines = [
        "# How your table is to be read. What follows was guessed from names alone: correct it.",
        "[data.table]",
        f"file = {_quoted(path.name if path else 'export.csv')}",
        f"images = {_quoted(_images(folder))}",
        "",
        "[data.table.columns]",
        *(f"{field} = {_quoted(column)}" for field, column in mapped.items()),
        *commented,
    ]
    if present:
        lines += ["", "[data.table.columns.findings]"]
        lines += [f"{name} = {_quoted(column)}" for name, column in present.items()]
    if left:
        lines += ["# not mapped yet: " + ", ".join(map(_quoted, left))]
    example = (resources.files("client.adapters") / "table_example.toml").read_text("utf-8")
    lines += ["", "# All that can be mapped:", *(f"# {line}".rstrip() for line in example.splitlines()), ""]
    return "\n".join(lines)


def _doubt(field: str, mapped: Mapping[str, str]) -> str:
    """Why a date is not suggested beside the other columns, "" where it can be."""
    if _SAME[field] in mapped:
        return f"or this instead of {_SAME[field]}, with exam_date"
    return "" if "exam_date" in mapped else "needs exam_date, the date of the examination"


def _columns(path: Path | None) -> Sequence[str]:
    if path is None:
        return ()
    if path.suffix.casefold() not in (".parquet", ".pq"):
        return columns_of(path)
    try:
        return read_parquet(path, ()).columns
    except FedFundusError:
        return ()


def _named(columns: Sequence[str], looks: str) -> list[str]:
    return [c for c in columns if re.fullmatch(looks, re.sub(r"[^a-z0-9]+", " ", plain(c)).strip())]


def _images(folder: Path) -> str:
    """The folder below `folder` that holds most photographs, "." where they lie beside the table."""
    counts = {".": _photographs(folder, "*")}
    counts |= {
        entry.name: _photographs(entry, "**/*") for entry in sorted(folder.iterdir()) if entry.is_dir()
    }
    return max(counts, key=lambda name: counts[name])


def _photographs(folder: Path, pattern: str) -> int:
    try:
        return sum(entry.suffix.casefold() in _PHOTOGRAPHS for entry in folder.glob(pattern))
    except OSError:
        return 0


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )  # which JSON allows and TOML does not
