"""The sentences that the terminal and the pages of a finished model share: what it promises, and on what evidence."""

from __future__ import annotations

from collections.abc import Sequence

from client.use.finished import Finished
from client.use.grading import Graded
from client.use.own_grades import FLOOR, Kept, OwnGrades, interval
from client.use.search import Search
from shared_model.operating_points import FEWEST, OperatingPoints, Threshold
from shared_model.wording import counted

_INPUTS = {"all": "all that is known", "image": "the photograph alone"}
_FLATTERED = (
    "These shares are of the photographs that the thresholds were fixed on: expect a little less elsewhere."
)


def own_grades(own: OwnGrades) -> list[str]:
    """Whether anything shows that the model's promises hold at this site: the first sentence is the one to read."""
    several = len(own.inputs) > 1
    lead = " ".join(
        (f"Read from {_INPUTS[kept.given]}: " if several else "") + _verdict(kept, own) for kept in own.inputs
    )
    told = [
        f"Held against this site's own grades, read from {_INPUTS[kept.given]}: "
        + "; ".join(one.sentence() for one in (*kept.promises, kept.found) if one.n)
        + "."
        for kept in own.inputs
        if kept.graded
    ]
    return [lead or "No photograph could be graded.", *told, *_learnt(own)]


def _verdict(kept: Kept, own: OwnGrades) -> str:
    """In one sentence, whether its decisions from one input stand here."""
    if kept.broken:
        return (
            "By this site's own grades the model does not keep its word here: every photograph is a person's."
        )
    if kept.proven:
        return "Nothing in this site's own grades shows that the model does not keep its word here."
    clears = "it clears nobody" + ("." if own.broken else ", unless it is told to by --clear-unproven.")
    n, low = kept.found.n, kept.found.interval[0]
    if not kept.graded and not own.left_out:
        return (
            "Nothing shows that this model keeps its word on this site's photographs, because its thresholds were "
            f"fixed on others: {clears} Grade some yourselves, those of {FEWEST} referable patients that it decides "
            "on among them, and give them with --config or --adapter: it is then held against them."
        )
    if not n:
        return f"The model decides on no referable patient of this site who could prove it: {clears}"
    if n < FEWEST:
        return (
            f"The model decides on {n} referable patients of this site, fewer than the {FEWEST} that it takes to see "
            f"whether it finds those here: {clears}"
        )
    return (
        f"Of {n} referable patients of this site that it decides on, the model finds {kept.found.kept}, which may "
        f"be luck: only {low:.0%} are sure, and {FLOOR:.0%} have to be: {clears}"
    )


def _learnt(own: OwnGrades) -> list[str]:
    """What is known of the patients that the model may have learnt from; nothing to say where none is graded."""
    if own.left_out:
        return [
            f"{counted(own.left_out, 'graded photograph')} of patients whom runs at this site train or validate on "
            "are left out of this."
        ]
    if own.left_out is None and any(kept.graded for kept in own.inputs):
        return [
            "Whether the model was trained on any of these patients cannot be known here, and photographs that it was "
            "trained on flatter it. With --config, and the site's state beside it, such patients are left out."
        ]
    return []


def promises(finished: Finished, cases: Sequence[Graded]) -> list[str]:
    """What the operating points of the inputs in use promise, and on how many photographs."""
    task = finished.tasks[0]
    used = {case.given for case in cases if case.inputs}
    said, fixed = [], False
    for given in sorted(used):
        said.append(f"Read from {_INPUTS[given]}: {_temperature(finished, given)}")
        points = finished.artefact.calibration.points_of(task, given)
        withheld = finished.artefact.calibration.withheld
        said += [f"Read from {_INPUTS[given]}: {sentence}" for sentence in _promises(points, withheld)]
        fixed = fixed or (points is not None and points.any)
    return said + ([_FLATTERED] if fixed else [])


def _temperature(finished: Finished, given: str) -> str:
    """Whether its probabilities mean what they say."""
    calibration, task = finished.artefact.calibration, finished.tasks[0]
    why = calibration.why_unfitted(task, given)
    if why is not None:
        return f"the probabilities are the model's own, at no temperature ({why})."
    said = f"the probabilities are at a temperature of {calibration.of(task, given):.2f}"
    if n := calibration.examples.get(task):
        said += f", fitted on {counted(n, 'validation photograph')}"
    if calibration.at_edge(task, given):
        return f"{said}: the edge of what was tried, so that a better one may lie beyond it."
    return f"{said}."


def _promises(points: OperatingPoints | None, withheld: str | None) -> list[str]:
    if points is None and withheld:
        return [f"the model's operating points are not used, so a person is asked throughout: {withheld}."]
    if points is None:
        return [
            "the model has no operating points, so a person is asked about every photograph; its probabilities were "
            "never compared with outcomes."
        ]
    confidence, clear, refer = points.confidence, points.clear, points.refer
    found = [f"no confidence is enough for a grade to stand: {confidence.unavailable}."]
    if confidence.threshold is not None:
        found = [
            f"a grade stands from confidence {confidence.threshold:.3f} on; right in {_share(confidence)}."
        ]
    if refer.threshold is not None and clear.threshold is not None and refer.threshold <= clear.threshold:
        missed = f"and at least {clear.reached:.1%} of {clear.n} referable ones above"
        return [
            *found,
            f"referred from probability {refer.threshold:.3f} on; of the others {_share(refer)} lay below, {missed}.",
        ]
    for threshold, known, unknown in (
        (refer, "referred from probability {0:.3f} on; of the others {1} lay below.", "nobody is referred"),
        (
            clear,
            "not referred below probability {0:.3f}; of the referable ones {1} lay above.",
            "nobody is cleared",
        ),
    ):
        value = threshold.threshold
        found.append(
            f"{unknown}: {threshold.unavailable}."
            if value is None
            else known.format(value, _share(threshold))
        )
    return found


def _share(threshold: Threshold) -> str:
    """The share on the validation photographs with its exact interval (Clopper and Pearson, 1934)."""
    assert threshold.reached is not None
    hits = round(threshold.reached * threshold.n)
    low, high = interval(hits, threshold.n)
    return f"{threshold.reached:.1%} of {threshold.n} validation photographs (95 % interval {low:.0%} to {high:.0%})"


def held_out_grading(finished: Finished) -> str:
    """How good the grades were on patients the model never saw."""
    held_out, task = finished.artefact.held_out, finished.tasks[0]
    found = held_out.grading[task] if held_out else {}
    parts = [
        f"{float(kappa):.2f} from {_INPUTS[given]}"
        for given, figures in found.items()
        if (kappa := figures["quadratic_weighted_kappa"]) is not None
    ]
    if not parts:
        return f"How good its {task.upper()} grades are on patients it never saw is unknown: the model does not say."
    n = max(int(figures["n"] or 0) for figures in found.values())
    return f"On {n} photographs of patients it never saw, its {task.upper()} kappa was {' and '.join(parts)}."


def held_out_retrieval(finished: Finished, top: int) -> str:
    """How often a note brought up its own photograph, on patients the model never saw; or that nobody knows."""
    held_out = finished.artefact.held_out
    found = held_out.retrieval if held_out else None
    if not found or any(found[f"{name}_at_{_k(top)}"] is None for name in ("recall", "chance", "ceiling")):
        return (
            "How well it searches on patients it never saw is unknown: the model folder does not say. Do not rely on "
            "what it finds, nor on what it does not."
        )
    k = _k(top)
    recall, chance, ceiling = (
        float(found[f"{name}_at_{k}"] or 0) for name in ("recall", "chance", "ceiling")
    )
    return (
        f"On patients it never saw, the {k} nearest of {int(found['n'] or 0)} photographs held the note's own one in "
        f"{recall:.1%} of searches; chance gives {chance:.1%}, and notes that many photographs share allow "
        f"{ceiling:.1%} at most."
    )


def searched(search: Search) -> list[str]:
    """How many were searched, and how far the note was understood."""
    said = [f"{search.searched:,} photographs searched; {search.unreadable:,} could not be read."]
    if search.read < search.tokens:
        said.append(f"The note has {search.tokens} tokens, of which the model reads the first {search.read}.")
    if search.spelt:
        said.append(
            f"{search.spelt} of its {search.words} longer words are not in the model's vocabulary, so that it knows "
            "little of them."
        )
    if search.spread[1] == 0:
        said.append("Every photograph has the same score: the order says nothing.")
    return said


def _k(top: int) -> int:
    return 1 if top < 5 else 5 if top < 10 else 10
