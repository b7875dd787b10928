"""How right `check` is: draws sites, plants dirt, asks the real check, and marks it; the command's own work.

Four folders are asked about: the planted site, the clean one it was made from (whatever is said of it is wrong), a site
with notes, and, where given, real photographs: as they are, and with judgements planted among them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from client.adapters import load
from client.data.identifiers import find
from shared_model.errors import ConfigError
from simulations.dirt.ask import MEANS, ask_check, unknown_kinds
from simulations.dirt.native import note_native_dirt
from simulations.dirt.noted import (
    NOTED_OPTIONS,
    SECOND,
    notes_of,
    photographed,
    plant_notes,
    plant_second_notes,
)
from simulations.dirt.noted_third import THIRD, plant_third_notes
from simulations.dirt.notes_second import AT_LEAST
from simulations.dirt.notes_third import AT_LEAST as AT_LEAST_THIRD
from simulations.dirt.notes_third import LABELS
from simulations.dirt.plant import clean_site, plant, plant_judgements
from simulations.dirt.score import KindScore, Said, clean_rows_condemned, score
from simulations.dirt.site import Site
from simulations.dirt.spans import Place, marks_by_kind
from simulations.dirt.truth import JUDGEMENTS, Truth

REAL_AMOUNT = 800  # real photographs get as much as a drawn site of so many
Stage = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Marked:
    """One folder's marks.

    condemned: records set aside though nothing that costs a row is wrong with them. flagged: on a folder nothing was
    planted in, the judgements of its photographs: kind -> how many records. unknown: kinds of check without a truth.
    """

    name: str
    photographs: int
    scores: tuple[KindScore, ...]
    condemned: tuple[str, ...]
    flagged: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every claim made of this folder is kept."""
        return not self.condemned and all(one.holds for one in self.scores)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        scores = [
            asdict(s) | {"recall": s.recall, "precision": s.precision, "holds": s.holds} for s in self.scores
        ]
        return asdict(self) | {"scores": scores, "holds": self.holds}


Ask = Callable[[Path, int, int], Marked]


def check_accuracy(
    photographs: int,
    seed: int,
    real: Path | None = None,
    *,
    size: int = 100,
    only: str = "",
    stage: Stage = lambda name, done, total: None,
) -> list[Marked]:
    """The marks of every folder.

    real: further photographs in BRSET's layout. size: of the drawn ones in percent of the cameras' own. only: the
    name of the one folder that is asked about, all by default. stage: told what is being done, and how many steps
    are done of how many. Raises ConfigError where so few photographs cannot hold every kind or no folder is called
    `only`, and DataError for `real` that cannot be read.
    """
    asked = _asked(real, only)
    root = Path(tempfile.mkdtemp(prefix="fedfundus-accuracy-"))
    try:
        clean_site(
            root / "clean",
            photographs,
            seed,
            size=size,
            progress=lambda done, total: stage("drawing patients", done, total),
        )
        marked = []
        for number, ask in enumerate(asked):
            stage("checking", number, len(asked))
            marked.append(ask(root, photographs, seed))
        stage("checking", len(asked), len(asked))
        return marked
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _asked(real: Path | None, only: str) -> list[Ask]:
    """What is asked about, in the order of the report."""
    asked: dict[str, Ask] = {
        "planted": _planted,
        "clean": _clean,
        "notes": _with_notes,
        "notes, unseen": partial(_with_notes, unseen=True),
        "notes, second unseen": _with_second_notes,
        "notes, third unseen": _with_third_notes,
    }
    if real is not None:
        asked |= {"real": partial(_real, real), "real, planted": partial(_real_planted, real)}
    if only and only not in asked:
        raise ConfigError(
            "There is no such folder to ask about.", where="only", fix=f"One of: {'; '.join(asked)}."
        )
    return [ask for name, ask in asked.items() if only in ("", name)]


def _planted(root: Path, photographs: int, seed: int) -> Marked:
    truth = plant(root / "clean", root / "planted", seed, photographs=photographs)
    return _marked("planted", root / "planted", truth)


def _clean(root: Path, photographs: int, seed: int) -> Marked:
    return _as_it_is("clean", root / "clean", seed)


def _real(real: Path, root: Path, photographs: int, seed: int) -> Marked:
    return _as_it_is("real", real, seed)


def _real_planted(real: Path, root: Path, photographs: int, seed: int) -> Marked:
    truth = plant_judgements(real, root / "real", seed, photographs=REAL_AMOUNT)
    return _marked("real, planted", root / "real", truth)


def _marked(name: str, folder: Path, truth: Truth) -> Marked:
    said = ask_check(folder)
    scores = score(truth, said, MEANS)
    condemned = clean_rows_condemned(truth, said)
    return Marked(name, len(truth.lines), tuple(scores), condemned, unknown=unknown_kinds(said))


def _as_it_is(name: str, folder: Path, seed: int) -> Marked:
    """A folder nothing was planted in: its own certain dirt must be found, and judgements are counted."""
    site = Site.looking_at(folder, seed)
    note_native_dirt(site)
    said = ask_check(folder)
    scores = score(site.truth, said, MEANS)
    flagged = {kind: len(said.of(MEANS[kind])) for kind in JUDGEMENTS}
    condemned = clean_rows_condemned(site.truth, said)
    return Marked(name, len(site.rows), tuple(scores), condemned, flagged, unknown_kinds(said))


def _with_notes(root: Path, photographs: int, seed: int, *, unseen: bool = False) -> Marked:
    """The site with notes: what is found, and what can still be read once identifiers are masked."""
    folder = root / ("unseen" if unseen else "noted")
    truth = plant_notes(root / "clean", folder, seed, notes=max(80, int(0.4 * photographs)), unseen=unseen)
    said = ask_check(folder, "table", NOTED_OPTIONS)
    scores = [*score(truth, said, MEANS, ["identifier_in_note"]), _still_readable(folder, truth)]
    if unseen:
        scores = [replace(one, kind=f"{one.kind}_unseen") for one in scores]
    condemned = clean_rows_condemned(truth, said)
    name = "notes, unseen" if unseen else "notes"
    return Marked(name, len(truth.lines), tuple(scores), condemned, unknown=unknown_kinds(said))


def _with_second_notes(root: Path, photographs: int, seed: int) -> Marked:
    """As `_with_notes`, of the second unseen set, with a line for every kind of identifier besides."""
    base, folder = root / "clean", root / "second"
    wanted = min(max(2 * AT_LEAST, int(0.4 * photographs)), len(photographed(base)))
    truth = plant_second_notes(base, folder, seed, notes=wanted)
    return _one_by_one("notes, second unseen", folder, truth, SECOND)


def _with_third_notes(root: Path, photographs: int, seed: int) -> Marked:
    """As `_with_second_notes`, of the third unseen set."""
    base, folder = root / "clean", root / "third"
    wanted = min(max(2 * AT_LEAST_THIRD, int(0.4 * photographs)), len(photographed(base)))
    truth = plant_third_notes(base, folder, seed, notes=wanted)
    return _one_by_one("notes, third unseen", folder, truth, THIRD, LABELS)


def _one_by_one(
    name: str, folder: Path, truth: Truth, ending: str, labels: frozenset[str] = frozenset()
) -> Marked:
    """The marks of a site with notes whose truth knows each identifier's place. ending: of the lines' kinds."""
    said = ask_check(folder, "table", NOTED_OPTIONS)
    whole = [*score(truth, said, MEANS, ["identifier_in_note"]), _still_readable(folder, truth)]
    scores = [replace(one, kind=one.kind + ending) for one in whole]
    scores += marks_by_kind(truth, notes_of(folder), _places, ending, labels=labels)
    condemned = clean_rows_condemned(truth, said)
    return Marked(name, len(truth.lines), tuple(scores), condemned, unknown=unknown_kinds(said))


def _places(note: str) -> list[Place]:
    return [(one.kind, one.start, one.end) for one in find(note)]


def _still_readable(folder: Path, truth: Truth) -> KindScore:
    """Of the notes as the model gets them: identifiers still readable are missed, harmless notes changed are wrong."""
    before = _notes(folder, masked=False)
    after = _notes(folder, masked=True)
    named = truth.of("identifier_in_note")
    left = [
        i
        for i in named
        if any(part in after.get(i.records[0], "") for text in i.text for part in _parts(text))
    ]
    harmed = [r for r in sorted(truth.records("harmless_note")) if before.get(r) != after.get(r)]
    return KindScore(
        kind="identifier_masked",
        planted=len(named),
        found=len(named) - len(left),
        missed=tuple(f"{item.records[0]} ({item.sort})" for item in left),
        false_alarms=tuple(f"{record} (harmless_note)" for record in harmed),
        condemned=0,
    )


def _parts(text: str) -> list[str]:
    """What must not be left of an identifier: the whole, and of names and dates every word of some length."""
    return [text, *(word for word in text.split() if len(word) >= 4)]


def _notes(folder: Path, *, masked: bool) -> dict[str, str]:
    table = load(folder, "table", options=NOTED_OPTIONS, mask_identifiers=masked).table
    return {r: str(n) for r, n in zip(table["record_id"], table["note"], strict=True) if isinstance(n, str)}


__all__ = ["Marked", "Said", "check_accuracy"]
