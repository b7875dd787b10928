"""Marks what `check` said against what was planted, kind by kind.

Recall counts items: a pair of copies is found where either of the two is named. Precision counts records: every
record named for a reason that the truth does not hold is a false alarm, wherever it lies, among clean rows or among
rows that have something else wrong with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from simulations.dirt.truth import CERTAIN, COSTS_THE_ROW, JUDGEMENTS, UNCLAIMED, Item, Truth

WANTED = 0.95  # precision and recall of a judgement


@dataclass(frozen=True)
class Said:
    """What check said about a folder.

    named: its own kinds -> the records it named for them. files: its own kinds -> names of photographs, for those
    that no row names. quarantined: the records whose rows were set aside.
    """

    named: Mapping[str, frozenset[str]]
    quarantined: frozenset[str]
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, kinds: Iterable[str]) -> frozenset[str]:
        """The records and files named for any of these kinds."""
        empty: frozenset[str] = frozenset()
        return empty.union(*(self.named.get(k, empty) | self.files.get(k, empty) for k in kinds))


@dataclass(frozen=True)
class KindScore:
    """One line of the table. missed, false_alarms: what they were, for whoever must mend it."""

    kind: str
    planted: int
    found: int
    missed: tuple[str, ...]
    false_alarms: tuple[str, ...]
    condemned: int  # rows quarantined for it although it does not cost the row

    @property
    def recall(self) -> float:
        """Share of the items that were found; 1 where there are none."""
        return self.found / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        """Share of what was named that was right; 1 where nothing was."""
        named = self.found + len(self.false_alarms)
        return self.found / named if named else 1.0

    @property
    def holds(self) -> bool:
        """Whether the claim for this kind is kept."""
        if self.kind in UNCLAIMED:
            return True
        if self.kind in CERTAIN:
            return self.recall == self.precision == 1.0 and not self.condemned
        return min(self.recall, self.precision) >= WANTED and not self.condemned


def score(
    truth: Truth, said: Said, means: Mapping[str, tuple[str, ...]], kinds: Iterable[str] = ()
) -> list[KindScore]:
    """One score a kind of the truth, in the order of truth.CERTAIN and JUDGEMENTS.

    means: kind of the truth -> the kinds of check that say it. kinds: which to score, all that were planted by default.
    """
    wanted = list(kinds) or [kind for kind in CERTAIN + JUDGEMENTS + UNCLAIMED if truth.of(kind)]
    return [_score(kind, truth, said, means) for kind in wanted]


def _score(kind: str, truth: Truth, said: Said, means: Mapping[str, tuple[str, ...]]) -> KindScore:
    named = said.of(means[kind])
    items = truth.of(kind)
    missed = [item for item in items if not _touches(item, said.of(_fair_words(item, means)))]
    false = sorted(named - _explained(kind, truth, means))
    condemned = said.quarantined & truth.records(kind) if kind not in COSTS_THE_ROW else frozenset()
    return KindScore(
        kind=kind,
        planted=len(items),
        found=len(items) - len(missed),
        missed=tuple(f"{', '.join(item.records or item.files)} ({item.sort})" for item in missed),
        false_alarms=tuple(f"{name} ({_what_it_is(name, truth)})" for name in false),
        condemned=len(condemned - truth.records(*COSTS_THE_ROW)),
    )


def _touches(item: Item, named: frozenset[str]) -> bool:
    return not named.isdisjoint((*item.records, *item.files))


def _fair_words(item: Item, means: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [
        word
        for name in (item.kind, *item.also)
        if name != "near_duplicate" or name == item.kind
        for word in means.get(name, ())
    ]


def _explained(kind: str, truth: Truth, means: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Records and files that the words for this kind may rightly name."""
    words = set(means[kind])
    kin = {other for other, said in means.items() if not words.isdisjoint(said)}
    right: set[str] = set()
    for item in truth.items:
        if item.kind in kin or not kin.isdisjoint(item.also):
            right.update(item.records, item.files)
    for other in kin:
        right.update(truth.tolerated.get(other, ()))
    return right


def _what_it_is(name: str, truth: Truth) -> str:
    return (
        ", ".join(f"{i.kind} {i.sort}".strip() for i in truth.items if name in (*i.records, *i.files))
        or "clean"
    )


def clean_rows_condemned(truth: Truth, said: Said) -> tuple[str, ...]:
    """Records in quarantine that nothing costing a row was planted in."""
    return tuple(sorted(said.quarantined - truth.records(*COSTS_THE_ROW)))
