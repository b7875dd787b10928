"""Who was where: the partition, the sample photographs and what crossed the wire, arranged for the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from shared_model.records import SPLITS, TASKS
from shared_model.report.palette import Colour

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def partition_rows(partition: Mapping[str, Any], sites: Mapping[str, Colour]) -> list[dict[str, Any]]:
    """One row a site: patients and images by split, grades by task, notes and cameras."""
    rows = []
    for site, colour in sites.items():
        held = (partition.get("sites") or {}).get(site) or {}
        rows.append(
            {
                "site": site,
                "colour": colour.css,
                "patients": [_count(held.get("patients"), split) for split in SPLITS],
                "images": [_count(held.get("images"), split) for split in SPLITS],
                "grades": {task: _bar(held.get(task)) for task in TASKS},
                "notes": held.get("notes"),
                "cameras": sorted((held.get("cameras") or {}).items(), key=lambda camera: -camera[1]),
            }
        )
    return rows


def photographs(samples: Mapping[str, Sequence[tuple[bytes, str]]]) -> dict[str, list[dict[str, str]]]:
    """Site -> the photographs as data addresses with their captions. Raises ValueError unless PNG or JPEG."""
    return {
        site: [{"source": address(image), "caption": caption} for image, caption in pictures]
        for site, pictures in samples.items()
        if pictures
    }


def wire(history: Sequence[Mapping[str, Any]], sites: Mapping[str, Colour]) -> list[dict[str, str]]:
    """One row a site, and their sum: what crossed the wire in the federated training, and the time."""
    entries = [entry for entry in history if entry["model"] == "federated"]
    rows = []
    for site, colour in sites.items():
        held = [entry["sites"][site] for entry in entries if site in (entry.get("sites") or {})]
        rows.append({"site": site, "colour": colour.css, **_totals(held)})
    return [*rows, {"site": "All sites", "colour": "", **_totals(entries)}]


def facts(run: Mapping[str, Any]) -> list[str]:
    """The run in a few words each: sites, rounds, strategy, preset, partition, engine, seed, time."""
    sites = run.get("sites")
    said = {
        "{} sites": sites if isinstance(sites, int | None) else len(sites),
        "{} rounds": run.get("rounds"),
        "{}": run.get("strategy"),
        "preset {}": run.get("preset"),
        "partition: {}": run.get("partition"),
        "{} engine": run.get("engine"),
        "seed {}": run.get("seed"),
        "took {}": duration(run.get("seconds")) or None,
    }
    return [words.format(value) for words, value in said.items() if value is not None]


def cost(run: Mapping[str, Any]) -> str:
    """Parameters, bytes a round and time of the whole run, in sentences; what is unknown is left out."""
    parameters, moved = run.get("parameters") or {}, run.get("bytes_per_round") or {}
    kinds = [(kind, parameters.get(kind)) for kind in ("total", "trainable", "shared", "local")]
    counts = [f"{count:,} {kind}" for kind, count in kinds if count is not None]
    said = [f"Parameters: {', '.join(counts)}; only the shared ones travel."] if counts else []
    if moved.get("up") is not None and moved.get("down") is not None:
        said.append(f"A round moves {size(moved['up'])} up and {size(moved['down'])} down.")
    if run.get("seconds") is not None:
        said.append(f"The whole run, with the models compared, took {duration(run['seconds'])}.")
    return " ".join(said)


def size(count: float | None) -> str:
    """Bytes as people read them: `12.4 MB`; empty without a count."""
    if count is None:
        return ""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float | None) -> str:
    """Seconds as people read them: `6 min 20 s`; empty without a value."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def address(image: bytes) -> str:
    """A photograph as a data address. Raises ValueError unless it is PNG or JPEG."""
    for signature, kind in _SIGNATURES.items():
        if image.startswith(signature):
            return f"data:{kind};base64,{base64.b64encode(image).decode('ascii')}"
    raise ValueError("a sample photograph is neither PNG nor JPEG")


def _count(held: Mapping[str, int] | None, split: str) -> int | None:
    return (held or {}).get(split)


def _bar(counts: Sequence[int] | None) -> list[dict[str, Any]]:
    """Grade segments of a bar: count, start and width in percent; empty without a labelled photograph."""
    total = sum(counts or ())
    if not counts or not total:
        return []
    starts = accumulate((100 * count / total for count in counts[:-1]), initial=0.0)
    return [
        {"grade": grade, "count": count, "start": round(start, 3), "width": round(100 * count / total, 3)}
        for grade, (count, start) in enumerate(zip(counts, starts, strict=True))
    ]


def _totals(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    def total(field: str) -> float | None:
        found = [entry[field] for entry in entries if entry.get(field) is not None]
        return sum(found) if found else None

    return {
        "up": size(total("bytes_up")),
        "down": size(total("bytes_down")),
        "seconds": duration(total("seconds")),
    }
