"""Deletes what site.toml says is too old: prepared photographs, local parameters, measurements, quarantine.

These can all be made again. What cannot is never expired, whatever its age (client/site/contents.py says why for
each): the salt and the key, without which the rest speaks of nobody; exclusions and participation, which a patient
may rely on; answers and the privacy ledger, on which the limit of what the site gives away stands. It is
housekeeping: while a round or another command uses the site, it waits for the next chance and keeps nobody waiting.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from client.site.contents import CONTENTS, FEATURES, MEASUREMENTS, Content, files, leftovers
from client.site.lock import SiteBusy
from client.site.state import SiteState
from shared_model.errors import ConfigError, DataError
from shared_model.files import naming_disk_errors

RETENTION_KEYS = tuple(sorted({content.retention for content in CONTENTS if content.retention}))
_DAY = 86_400.0


def expire(state: SiteState, days: Mapping[str, int], *, now: float | None = None) -> list[str]:
    """Delete what is older than `days` says; what was deleted, in words.

    days: the [retention] section of site.toml, key -> days, 0 for no limit. now: seconds since 1970, the clock by
    default. Age counts from when a content was made (the oldest part of it), for local parameters from the last
    round. What interrupted commands left goes after a day. Nothing is deleted, and nothing raised, while another
    command runs: the next call does it. Raises ConfigError for a key there is none of, RunError where the disk refuses.
    """
    unknown = sorted(set(days) - set(RETENTION_KEYS))
    if unknown:
        fix = f"Use {', '.join(RETENTION_KEYS)}."
        raise ConfigError(f"Nothing is kept under {unknown[0]!r}.", where=f"retention.{unknown[0]}", fix=fix)
    at = time.time() if now is None else now
    with naming_disk_errors(state.folder):
        if not _anything_due(state, days, at):
            return []
        try:
            with state.lock("retention"):
                return _delete(state, days, at)
        except SiteBusy:
            return []


def _anything_due(state: SiteState, days: Mapping[str, int], now: float) -> bool:
    """Whether something is too old, as far as can be seen while others may write."""
    try:
        return any(
            _too_old(state, content, days, now) or any(_abandoned(state, content, now))
            for content in CONTENTS
        )
    except FileNotFoundError:  # somebody has just removed it: the next chance is soon enough
        return False


def _delete(state: SiteState, days: Mapping[str, int], now: float) -> list[str]:
    removed = []
    for content in CONTENTS:
        gone = _too_old(state, content, days, now)
        for path in gone:
            path.unlink(missing_ok=True)
        if gone:
            oldest, limit = max(gone.values()), days[content.retention or ""]
            removed.append(
                f"{content.name}: {oldest:.0f} days old; site.toml keeps {content.retention} {limit} days"
            )
        for path in _abandoned(state, content, now):
            path.unlink(missing_ok=True)
            removed.append(f"what an interrupted command left of the {content.name}")
    return removed


def _too_old(state: SiteState, content: Content, days: Mapping[str, int], now: float) -> dict[Path, float]:
    """The files of a content that are to go, with their ages in days."""
    limit = days.get(content.retention or "", 0)
    if not limit:
        return {}
    ages = {path: (now - _made(state, path)) / _DAY for path in files(state.folder, content)}
    old = {_group(content, path) for path, age in ages.items() if age > limit}
    return {path: age for path, age in ages.items() if _group(content, path) in old}


def _abandoned(state: SiteState, content: Content, now: float) -> Iterator[Path]:
    """What interrupted writes left more than a day ago; one that is under way takes its own away meanwhile."""
    for path in leftovers(state.folder, content):
        with suppress(FileNotFoundError):
            if now - path.lstat().st_mtime > _DAY:
                yield path


def _group(content: Content, path: Path) -> str:
    """What goes together: the files of one content do, but for those of several runs or models."""
    if content.name == "worker state":
        return str(path)
    return path.stem if content.name == "features" else content.name


def _made(state: SiteState, path: Path) -> float:
    name = path.relative_to(state.folder)
    if name.match(MEASUREMENTS) or name.match(f"{FEATURES}/[!.]*.index"):
        try:  # appending to it does not make what stands in it younger
            made = state.journal(name.as_posix()).made()
        except DataError:
            made = None
        if made is not None:
            return made
    return path.lstat().st_mtime
