"""What stands beside a store of photographs: which record is where, from which file, and what could not be read.

It names records, patients and paths, so it is sealed where the photographs are. The files' sizes and times tell
whether a photograph has to be read again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.data.pipeline import PIPELINE_VERSION
from client.vault import Vault, is_sealed
from shared_model.errors import DataError

LABEL = "photographs/index"
REBUILD = "Build it again."


@dataclass(frozen=True)
class Source:
    """A photograph's file as it was just before it was read."""

    bytes: int
    modified: int  # nanoseconds since 1970

    @classmethod
    def of(cls, path: str) -> Source | None:
        """The file at path, or None where there is none that could be looked at."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Photograph:
    """One record's photograph. digest: SHA-256 of the file, or ""; problem: why it cannot be used, or "".

    source: None where the file was absent or could not be opened, which another time may be otherwise.
    """

    record: str
    patient: str
    path: str
    source: Source | None
    digest: str = ""
    problem: str = ""


@dataclass(frozen=True)
class ImageIndex:
    """The index of one store. name: random, in the seal of every photograph; kept: in the order of the pixels."""

    name: str
    size: int
    pipeline: str
    kept: tuple[Photograph, ...]
    unreadable: tuple[Photograph, ...] = ()

    def to_bytes(self, vault: Vault | None) -> bytes:
        """The index as JSON, sealed if there is a vault."""
        described = {
            "pipeline": self.pipeline,
            "size": self.size,
            "records": [photograph.record for photograph in self.kept],
            "sha256": [photograph.digest for photograph in self.kept],
            "name": self.name,
            "origins": [_origin(photograph) for photograph in self.kept],
            "unreadable": [
                [photograph.record, photograph.digest, photograph.problem, _origin(photograph)]
                for photograph in self.unreadable
            ],
        }
        content = json.dumps(described).encode()
        return content if vault is None else vault.seal(content, LABEL)

    @classmethod
    def read(cls, path: Path, vault: Vault | None) -> ImageIndex:
        """The index beside the store at path. Raises DataError where it is absent, damaged or does not open."""
        try:
            content = sidecar(path).read_bytes()
        except OSError:
            raise unusable(path, "absent or damaged") from None
        if vault is not None:
            content = vault.open(content, LABEL, where=str(sidecar(path)))
        elif is_sealed(content):
            raise unusable(path, "sealed, and no key was given")
        try:
            return cls._parsed(json.loads(content))
        except (ValueError, KeyError, TypeError):
            raise unusable(path, "absent or damaged") from None

    @classmethod
    def _parsed(cls, described: dict[str, Any]) -> ImageIndex:
        records, digests = described["records"], described["sha256"]
        origins = described.get("origins") or [["", "", None]] * len(records)
        kept = [
            _photograph(record, digest, "", origin)
            for record, digest, origin in zip(records, digests, origins, strict=False)
        ]
        if len(kept) != len(records) or len(digests) != len(records):
            raise ValueError("lists of different lengths")
        return cls(
            name=str(described.get("name", "")),
            size=int(described["size"]),
            pipeline=str(described["pipeline"]),
            kept=tuple(kept),
            unreadable=tuple(_photograph(*row) for row in described.get("unreadable", [])),
        )

    def require_pipeline(self, path: Path) -> None:
        """Raises DataError for a store that another image pipeline made."""
        if self.pipeline != PIPELINE_VERSION:
            raise unusable(path, f"made by image pipeline {self.pipeline}, not {PIPELINE_VERSION}")


def sidecar(path: Path) -> Path:
    """Where the index of the store at path lies."""
    return path.with_name(path.name + ".json")


def unusable(path: Path, why: str) -> DataError:
    """The error of a store that has to be built again."""
    return DataError(f"The store of photographs is {why}.", where=str(path), fix=REBUILD)


def _origin(photograph: Photograph) -> list[Any]:
    source = photograph.source
    return [photograph.patient, photograph.path, source and [source.bytes, source.modified]]


def _photograph(record: str, digest: str, problem: str, origin: list[Any]) -> Photograph:
    patient, path, source = origin
    return Photograph(record, patient, path, source and Source(*source), digest, problem)
