"""What the state folder of a site may hold: the one list that exclusion, retention, purging and the docs go by.

A file that is not described here is not FedFundus's: purge leaves it alone and says so. Whoever keeps something
new in the state folder adds it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SITE_KEY, LOCK, SALT = "site.key", "lock", "salt"
MEASUREMENTS, QUARANTINE, IMAGES = "measurements.journal", "quarantine.csv", "images.npy"
FOUND = "findings.csv"
EXCLUDED, PARTICIPATION, LEDGER = "excluded", "participation", "ledger"
ANSWERS, WORKER, FEATURES = "answers", "worker", "features"
PRIVATE = "private.json"  # in the worker's folder of a run that trains under differential privacy
CHARGED = "charged.json"  # there, too: the last charge of the run; in the state folder itself, of the site
RUN_NAME = "plan.json"  # in the worker's folder of a run: which plan its name stands for
APPROVALS = "approval"
WEIGHTS, AUDIT = "weights", "audit"


def private_name(run: str) -> str:
    """Under which name a site keeps what it registered for a run's noise."""
    return f"{WORKER}/{run}/{PRIVATE}"


@dataclass(frozen=True)
class Content:
    """One thing a site keeps.

    name: the word for it. patterns: globs below the state folder. what: what it is, for a person.
    patient_data: whether a patient could be read from it if it were not sealed. retention: key of the
    [retention] section of site.toml that limits its age in days, or None. kept: why it has none.
    """

    name: str
    patterns: tuple[str, ...]
    what: str
    patient_data: bool
    retention: str | None = None
    kept: str = ""


CONTENTS: tuple[Content, ...] = (
    Content(
        "measurements",
        (MEASUREMENTS,),
        "what check measured of every photograph, so that it need not read them again",
        True,
        "measurements",
    ),
    Content(
        "quarantine",
        (QUARANTINE,),
        "the rows that cannot be used, with their reasons",
        True,
        "quarantine",
    ),
    Content(
        "findings",
        (FOUND,),
        "the rows that each finding of the last check is about",
        True,
        "quarantine",
    ),
    Content(
        "photographs",
        (IMAGES, f"{IMAGES}.json"),
        "the prepared photographs, ready for training",
        True,
        "caches",
    ),
    Content(
        "features",
        (f"{FEATURES}/*.features", f"{FEATURES}/*.index"),
        "what the frozen parts of models make of photographs and notes, so that it need not be computed again",
        True,
        "caches",
    ),
    Content(
        "worker state",
        (f"{WORKER}/**/*.safetensors",),
        "of each run, the parameters and optimiser moments that never leave the site, the shared model as it was "
        "last sent, its last answers, and what rounding took from the site's updates",
        True,
        "worker",
    ),
    Content(
        "estimate",
        ("estimate.json",),
        "how long a training step takes on this machine, so that check need not time it again",
        False,
        kept="it says nothing of the data",
    ),
    Content(
        "registered counts",
        (f"{WORKER}/**/registered.json", f"{WORKER}/**/{PRIVATE}"),
        "how many training photographs each run was told that there are, and of how many patients its noise is made",
        False,
        kept="a run refuses updates of a site whose count has changed, and a change would tell of an exclusion",
    ),
    Content(
        "run names",
        (f"{WORKER}/**/{RUN_NAME}",),
        "the fingerprint of the plan that each run's name stands for",
        False,
        kept="another plan of the same name would go on from what this one left, and could tell of it",
    ),
    Content(
        "opened rounds",
        (f"{WORKER}/**/opened.json",),
        "of each run under secure aggregation, the last round whose sum this site helped to open, and the names of "
        "the sites whose validation figures were in it",
        False,
        kept="a round that was opened twice could give this site's update away",
    ),
    Content(
        "answers",
        (f"{ANSWERS}/**/*",),
        "what this site has told: without it, a new answer could be subtracted from the first by whoever kept that",
        False,
        kept="a question asked again after its answer was deleted could be subtracted from the first",
    ),
    Content(
        "participation",
        (PARTICIPATION,),
        "which pseudonyms each run was trained on",
        True,
        kept="without it nobody could say which runs used a patient",
    ),
    Content(
        "exclusions",
        (EXCLUDED,),
        "the pseudonyms of the patients who must not be used",
        True,
        kept="a patient who was barred would come back",
    ),
    Content(
        "privacy ledger",
        (LEDGER, f"{LEDGER}.*", f"{LEDGER}/**/*"),
        "how much of the privacy limit has been spent",
        False,
        kept="what was spent is spent, however long ago",
    ),
    Content(
        "last charges",
        (CHARGED, f"{WORKER}/**/{CHARGED}"),
        "which line of the privacy ledger was the last, of the site and of each run",
        False,
        kept="without it a ledger put back from an older copy would forget what was spent since",
    ),
    Content(
        "approvals",
        (f"{APPROVALS}/**/*",),
        "which federation, package and run plans the operator approved, and the plans that wait for it",
        False,
        kept="what was agreed to, and when, is asked about long after",
    ),
    Content(
        "audit log",
        (AUDIT, f"{AUDIT}.lock"),
        "what this site answered and refused, by id, and what its operator approved",
        False,
        kept="what was answered, and when, is asked about long after",
    ),
    Content(
        "pretrained weights",
        (f"{WEIGHTS}/**/*",),
        "public encoders that were imported from a medium (fedfundus-site weights import)",
        False,
        kept="they are the same for every site, and say nothing of the data",
    ),
    Content(
        "lock", (LOCK,), "held while a command of this site runs", False, kept="it is empty when none runs"
    ),
    Content(
        "salt",
        (SALT,),
        "the secret that turns the hospital's ids into pseudonyms",
        False,
        kept="with another salt, exclusions and participation would speak of nobody",
    ),
    Content(
        "site key",
        (SITE_KEY,),
        "the key that everything above is sealed with",
        False,
        kept="without it nothing above can be read",
    ),
)


def named(name: str) -> Content:
    """The content of this name. Raises KeyError."""
    return next(content for content in CONTENTS if content.name == name)


def files(folder: Path, content: Content) -> list[Path]:
    """The files there are of a content, in order, what an interrupted write left of them included.

    A file below a linked folder is not among them: it lies elsewhere and may be somebody else's.
    """
    found = {path for pattern in content.patterns for path in folder.glob(pattern)}
    return sorted(path for path in found | set(leftovers(folder, content)) if _is_own(path, folder))


def leftovers(folder: Path, content: Content) -> list[Path]:
    """What interrupted writes of a content left: hidden files beside the place they were meant for."""
    found = {path for pattern in content.patterns for path in folder.glob(_beside(pattern))}
    return sorted(path for path in found if _is_own(path, folder))


def present(folder: Path) -> list[Content]:
    """The contents that a state folder holds, apart from its lock."""
    return [content for content in CONTENTS if content.name != LOCK and files(folder, content)]


def _beside(pattern: str) -> str:
    path = PurePosixPath(pattern)
    return str(path.with_name(f".{path.name}.*"))  # as shared_model.files and client.data name them


def _is_own(path: Path, folder: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        return False
    between = path.relative_to(folder).parents
    return not any((folder / parent).is_symlink() for parent in between if parent != Path("."))
