"""Taking an excluded patient out of a folder of features."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from client.cache.feature_file import TEXT, FeatureFile, names_in
from client.vault import Vault


def forget(folder: Path, vault: Vault | None, left: Collection[bytes], *, notes: bool) -> list[str]:
    """Remove the features of all photographs but those `left` (SHA-256 of their files); what went, in words.

    notes: remove those of all notes, since it cannot be told whose a note is; they are made again. Raises RunError
    where the disk refuses.
    """
    views, whole = 0, []
    for name in names_in(folder):
        file = FeatureFile(folder, name, vault)
        if name.startswith(TEXT):
            if notes:
                file.discard()
                whole.append("the kept features of all notes, which are not told apart")
        elif file.usable:
            views += file.keep_only(left)
        else:
            file.discard()
            whole.append("kept features of photographs that could not be told apart")
    return [*([f"the kept features of {views} views of photographs"] if views else []), *sorted(set(whole))]
