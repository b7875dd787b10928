"""What stands in each table: the rows, the paper's figures for them, and the columns.

The paper's figures are percentages as printed; None is a figure that the paper does not give for the row. It reports
retrieval in the paired protocol only (CLIP's towers make both one), accuracy alone, and one run of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared_model.errors import ConfigError

Printed = Mapping[str, Sequence[float | None]]  # row -> the paper's figures of a column


@dataclass(frozen=True)
class Part:
    """One figure of a cell: its dotted path in a model's figures (or the majority's); `over` divides it."""

    name: str
    path: str
    of: str = "figures"
    over: str = ""
    share: bool = True  # a percentage, else a plain number


@dataclass(frozen=True)
class Column:
    """One column; several parts share a cell, as R@1 / R@5 / R@10 do. printed: the paper's own figures, no parts."""

    heading: str
    parts: tuple[Part, ...] = ()
    printed: Printed | None = None


@dataclass(frozen=True)
class Contents:
    """One table. rows: variants, in the paper's order, then those that the paper lacks."""

    number: int
    title: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()


KS = (1, 5, 10)
_FUSION = ("full", "published")


def _recall(protocol: str, ks: Sequence[int] = KS, figure: str = "recall") -> tuple[Part, ...]:
    found = f"retrieval.{protocol}.text_to_image"
    return tuple(Part(f"{protocol} {figure}@{k}", f"{found}.{figure}_at_{k}") for k in ks)


def _both(metric: str, of: str = "figures", share: bool = True) -> tuple[Part, ...]:
    return tuple(
        Part(f"{of} {task} {metric}", f"{task}.{metric}", of, share=share) for task in ("sdrg", "icdr")
    )


def _kappa(given: str) -> Part:
    return Part(f"icdr kappa, {given}", f"icdr.by_input.{given}.quadratic_weighted_kappa", share=False)


_UNIMODAL = "retrieval.unimodal.text_to_image"
_SHARE = Part("share of ceiling@10", f"{_UNIMODAL}.recall_at_10", over=f"{_UNIMODAL}.ceiling_at_10")
_CHANCE = Part("chance@1", f"{_UNIMODAL}.chance_at_1")
_KAPPAS = Column("kappa SDRG / ICDR", _both("quadratic_weighted_kappa", share=False))
_ACCURACIES = Column("accuracy SDRG / ICDR", _both("accuracy"))
_MAJORITY = Column("majority's accuracy SDRG / ICDR", _both("accuracy", "majority"))
_IMAGE = Column("ICDR kappa, image only", (_kappa("image"),))

_RETRIEVAL = (
    Column("paired R@1 / 5 / 10", _recall("paired")),
    Column("unimodal R@1 / 5 / 10", _recall("unimodal")),
    Column("ceiling R@1 / 5 / 10", _recall("unimodal", figure="ceiling")),
    Column("share of ceiling, R@10", (_SHARE,)),
    Column("chance R@1", (_CHANCE,)),
)
_PAIRED_MEANS = (
    "paired: image and note read each other before they are compared, so the figure is conditioned on the pair and "
    "says nothing of a search. unimodal: each is encoded alone; this is the headline. ceiling: what duplicate notes "
    "allow."
)
_MASKING = (
    "Grading reads notes without the sentences that state the grade, but for the model as published, which reads them "
    "in training and in the test."
)
_SHORT_RETRIEVAL = (
    Column("paired R@1", _recall("paired", (1,))),
    Column("unimodal R@1 / 10", _recall("unimodal", (1, 10))),
    Column("ceiling R@1 / 10", _recall("unimodal", (1, 10), "ceiling")),
)


def _ablation(number: int, title: str, rows: tuple[str, ...], printed: Printed, *notes: str) -> Contents:
    """Tables III and IV share their columns. printed: row -> R@1, SDRG and ICDR accuracy."""
    paper = Column("paper: R@1, accuracy SDRG / ICDR", printed=printed)
    columns = (paper, *_SHORT_RETRIEVAL, _ACCURACIES, _MAJORITY, _KAPPAS, _IMAGE)
    return Contents(number, title, rows, columns, (_PAIRED_MEANS, _MASKING, *notes))


CONTENTS: Mapping[int, Contents] = {
    1: Contents(
        1,
        "Text-to-image retrieval",
        ("clip_zero_shot", "clip", "full", "published"),
        (
            Column(
                "paper: R@1 / 5 / 10",
                printed={
                    "clip_zero_shot": (0.00, 0.25, 0.74),
                    "clip": (1.29, 4.97, 8.11),
                    **dict.fromkeys(_FUSION, (99.94, 100.0, 100.0)),
                },
            ),
            *_RETRIEVAL,
        ),
        (
            _PAIRED_MEANS,
            "Zero-shot CLIP means something with pretrained weights only: with random ones it is chance.",
        ),
    ),
    2: Contents(
        2,
        "Grading",
        ("clip", "vision", "full", "published"),
        (
            Column(
                "paper: accuracy SDRG / ICDR",
                printed={
                    "clip": (None, None),
                    "vision": (93.80, 93.80),
                    **dict.fromkeys(_FUSION, (97.05, 97.97)),
                },
            ),
            _ACCURACIES,
            _MAJORITY,
            _KAPPAS,
            _IMAGE,
            Column(
                "ICDR kappa, note only, sentence masked / there", (_kappa("note"), _kappa("note_unmasked"))
            ),
            Column(
                "ICDR kappa, all inputs, sentence masked / there", (_kappa("all"), _kappa("all_unmasked"))
            ),
        ),
        (_MASKING, "The paper calls its CLIP of this table zero-shot, but it is fine-tuned, as ours is."),
    ),
    3: _ablation(
        3,
        "Combinations of inputs",
        ("image_text", "image_structured", "text_structured", "full", "image", "text", "structured"),
        {
            "image_text": (98.57, 96.41, 96.47),
            "image_structured": (None, 94.36, 94.24),
            "text_structured": (None, 93.18, 94.86),
            "full": (99.94, 97.05, 97.97),
        },
    ),
    4: _ablation(
        4,
        "Losses",
        ("classification", "contrastive", "reconstruction", "full"),
        {
            "classification": (0.19, 95.11, 94.92),
            "contrastive": (98.33, 96.03, 97.03),
            "reconstruction": (99.60, 96.10, 96.96),
            "full": (99.94, 97.05, 97.97),
        },
        "The first three rows weigh their losses equally; the last has all six as the preset weighs them.",
    ),
    5: Contents(
        5,
        "A data set that no training saw",
        ("clip", "full", "published"),
        (
            Column(
                "paper: R@1 on DeepEyeNet",
                printed={"clip": (0.22,), **dict.fromkeys(_FUSION, (93.95,))},
            ),
            *_RETRIEVAL,
            _KAPPAS,
        ),
        (_PAIRED_MEANS,),
    ),
    6: Contents(6, "Size and speed on this machine", ("full", "clip", "vision"), ()),
}


def numbers_of(text: str) -> list[int]:
    """The tables in "1,2,6", or all of them in "all". Raises ConfigError for one that there is not."""
    if text.strip() == "all":
        return list(CONTENTS)
    asked = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [part for part in asked if not part.isdecimal() or int(part) not in CONTENTS]
    if unknown or not asked:
        raise ConfigError(
            f"there is no table {unknown[0]!r}" if unknown else "no table is named",
            where="--which",
            fix=f"use some of: {', '.join(map(str, CONTENTS))}, or all",
        )
    return sorted({int(part) for part in asked})
