"""Deletes what site.toml says is too old: prepared photographs, local parameters, measurements, quarantine.

These can all be made again. What cannot is never expired, whatever its age (client/site/contents.py says why for
each): the salt and the key, without which the rest speaks of nobody; exclusions and participation, which a patient
may rely on; answers and the privacy ledger, on which the limit of what the site gives away stands.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from client.site.contents import CONTENTS, FEATURES, MEASUREMENTS, Content, files, leftovers
from client.site.state import SiteState
from shared_model.errors import ConfigError, DataError
from shared_model.files import naming_disk_errors

RETENTION_KEYS = tuple(sorted({content.retention for content in CONTENTS if content.retention}))
_DAY = 86_400.0


def expire(state: SiteState, days: Mapping[str, int], *, now: float | None = None) -> list[str]:
    """Delete what is older than `days` says; what was deleted, in words.

    days: the [retention] section of site.toml, key -> days, 0 for no limit. now: seconds since 1970, the clock by
    default. Age counts from when a content was made (the oldest part of it), for local parameters from the last
    round. What interrupted commands left goes after a day. Raises ConfigError for a key there is none of, RunError
    where the disk refuses or another command runs.
    """
    unknown = sorted(set(days) - set(RETENTION_KEYS))
    if unknown:
        fix = f"Use {', '.join(RETENTION_KEYS)}."
        raise ConfigError(f"Nothing is kept under {unknown[0]!r}.", where=f"retention.{unknown[0]}", fix=fix)
    at = time.time() if now is None else now
    removed = []
    with state.lock("retention"), naming_disk_errors(state.folder):
        for content in CONTENTS:
            limit = days.get(content.retention or "", 0)
            if limit and content.retention:
                removed += _expire(state, content, limit, at)
            for path in leftovers(state.folder, content):
                if at - path.lstat().st_mtime > _DAY:
                    path.unlink(missing_ok=True)
                    removed.append(f"what an interrupted command left of the {content.name}")
    return removed


def _expire(state: SiteState, content: Content, limit: int, now: float) -> list[str]:
    ages = {path: (now - _made(state, path)) / _DAY for path in files(state.folder, content)}
    old = {_group(content, path) for path, age in ages.items() if age > limit}
    gone = [path for path in ages if _group(content, path) in old]
    oldest = max((ages[path] for path in gone), default=0.0)
    for path in gone:
        path.unlink(missing_ok=True)
    if not gone:
        return []
    return [f"{content.name}: {oldest:.0f} days old; site.toml keeps {content.retention} {limit} days"]


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
