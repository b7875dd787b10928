"""The section [data.table] of site.toml: which column of a hospital's table means what.

Everything is checked before the table is opened, and every error names the key, the value and what to write
instead. `table_example.toml` is the same section with a comment on every key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Tree
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from client.adapters.codes import CODED, compiled
from client.adapters.dates import ISO, format_fault
from client.adapters.values import plain
from shared_model.config.validation import validated
from shared_model.errors import ConfigError
from shared_model.records import FINDINGS

PREFIX = "data.table."
EXCEL = (".xls", ".xlsx", ".xlsm", ".xlsb", ".ods", ".numbers")
_KEYS = "The commented template that `fedfundus-site init` writes lists every key of [data.table]."


def _column(name: str) -> str:
    if not name.strip():
        raise ValueError("a column needs a name")
    return name


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _finding(name: str) -> str:
    if name not in FINDINGS:
        raise ValueError(f"there is no such finding; there are {', '.join(FINDINGS)}")
    return name


def _date_format(pattern: str) -> str:
    if fault := format_fault(pattern):
        raise ValueError(fault)
    return pattern


def _missing_word(word: str) -> str:
    if plain(word) in {"0", "1", "2", "3", "4"}:
        raise ValueError(
            "this is a grade or a yes or no elsewhere; write it for its own column only, "
            'as [data.table.codes.COLUMN] with "missing"'
        )
    return word


def _patient_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"this is not a regular expression ({error})") from None
    if groups != 1:
        raise ValueError("the patient must stand in one pair of brackets, as in '^([0-9]+)_'")
    return pattern


Column = Annotated[str, AfterValidator(_column)]
Notes = Annotated[tuple[Column, ...], BeforeValidator(_several)]
Findings = dict[Annotated[str, AfterValidator(_finding)], Column]
Word = str | int | float | bool
AgeUnit = Literal["years", "months", "weeks", "days"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Section):
    """Names of columns, as the header writes them (capitals and outer blanks do not matter)."""

    image: Column | None = None
    record: Column | None = None
    patient: Column | None = None
    visit: Column | None = None
    exam_date: Column | None = None
    eye: Column | None = None
    age: Column | None = None
    birth_date: Column | None = None
    birth_year: Column | None = None
    sex: Column | None = None
    diabetes: Column | None = None
    diabetes_duration: Column | None = None
    diagnosis_date: Column | None = None
    diagnosis_year: Column | None = None
    insulin: Column | None = None
    icdr: Column | None = None
    sdrg: Column | None = None
    image_field: Column | None = None
    camera: Column | None = None
    center: Column | None = None
    split: Column | None = None
    note: Notes = ()
    findings: Findings = {}


class Eye(_Section):
    """Columns that a row has once for each eye."""

    eye: Literal["right", "left"]
    image: Column
    icdr: Column | None = None
    sdrg: Column | None = None
    image_field: Column | None = None
    camera: Column | None = None
    note: Notes = ()
    findings: Findings = {}


class Units(_Section):
    """What numbers of a column are in."""

    age: AgeUnit = "years"
    diabetes_duration: AgeUnit = "years"


class Mapping(_Section):
    """The whole section."""

    file: Annotated[str, Field(min_length=1)]
    images: str = "."
    subfolders: bool = True
    names_only: bool = False
    missing: tuple[Annotated[str, AfterValidator(_missing_word)], ...] = ()
    date_formats: Annotated[tuple[Annotated[str, AfterValidator(_date_format)], ...], Field(min_length=1)] = (
        ISO,
    )
    patient_pattern: Annotated[str, AfterValidator(_patient_pattern)] | None = None
    notes_from_findings: bool = False
    columns: Columns
    codes: dict[str, dict[str, Word]] = {}
    units: Units = Units()
    eyes: tuple[Eye, ...] = ()


def read_mapping(options: Tree[str, Any]) -> Mapping:
    """The mapping of the section [data.table]. Raises ConfigError naming the first key at fault."""
    mapping = validated(
        Mapping, options, prefix=PREFIX, fix="Correct this key of site.toml. " + _KEYS, keys=_KEYS
    )
    if mapping.file.casefold().endswith(EXCEL):
        raise _error(
            "an Excel workbook cannot be read as a table",
            "file",
            f"Open {mapping.file} and save the sheet as CSV (UTF-8); then name that file.",
        )
    _check_photographs(mapping)
    _check_times(mapping.columns)
    _check_codes(mapping)
    return mapping


def _check_photographs(mapping: Mapping) -> None:
    columns, eyes = mapping.columns, [view.eye for view in mapping.eyes]
    if not eyes and columns.image is None:
        raise _error(
            "no column says which photograph a row is of",
            "columns.image",
            'Name it, as in image = "Image name"; for a row with a photograph of each eye use [[data.table.eyes]].',
        )
    for name in ("image", "eye", "record") if eyes else ():
        if getattr(columns, name) is not None:
            raise _error(
                f"{name} cannot stand in [data.table.columns] beside [[data.table.eyes]]",
                f"columns.{name}",
                "Remove it: every eye names its own photograph, and the photograph names the record.",
            )
    if len(set(eyes)) < len(eyes):
        raise _error("the same eye is mapped twice", "eyes", "Keep one [[data.table.eyes]] for each eye.")
    if mapping.patient_pattern and columns.patient:
        raise _error(
            "the patient is said twice",
            "patient_pattern",
            "Keep columns.patient or patient_pattern, not both.",
        )
    if mapping.notes_from_findings and (columns.note or any(view.note for view in mapping.eyes)):
        raise _error(
            "notes cannot be written from findings where a column of notes is mapped",
            "notes_from_findings",
            "Keep one of the two.",
        )


def _check_times(columns: Columns) -> None:
    for name, others in (
        ("age", ("birth_date", "birth_year")),
        ("diabetes_duration", ("diagnosis_date", "diagnosis_year")),
    ):
        given = [key for key in (name, *others) if getattr(columns, key)]
        if len(given) > 1:
            raise _error(
                f"{' and '.join(given)} say the same",
                f"columns.{given[1]}",
                f"Keep one of {', '.join(given)}.",
            )
        if given and given != [name] and columns.exam_date is None:
            raise _error(
                f"{given[0]} needs the date of the examination",
                "columns.exam_date",
                f"Name its column, or map {name} instead of {given[0]}.",
            )


def _check_codes(mapping: Mapping) -> None:
    for field, codes in mapping.codes.items():
        key = f"codes.{field}"
        if field not in CODED:
            raise _error(
                "there are no codes for this", key, f"Codes can be given for {', '.join(sorted(CODED))}."
            )
        try:
            compiled(field, codes)
        except ValueError as fault:
            raise _error(str(fault), key, "Correct the code.") from None


def _error(what: str, key: str, fix: str) -> ConfigError:
    return ConfigError(what, where=PREFIX + key, fix=fix)
