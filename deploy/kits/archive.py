"""A kit as one .tar.gz: written the same way every time, and read without trusting anything in it."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from deploy.kits.layout import KEYS, LARGEST_FILE, MOST_FILES, KitFolder
from shared_model.errors import DataError
from shared_model.files import write_bytes

LARGEST = 64 * 2**20


def write_archive(path: Path, folder_name: str, files: Mapping[str, bytes]) -> None:
    """Write `files` as a .tar.gz that unpacks into `folder_name`, 0600 and 0700, without owners or times."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        parents = {parent for name in files for parent in PurePosixPath(folder_name, name).parents}
        for parent in sorted(parents - {PurePosixPath(".")}):
            entry = tarfile.TarInfo(str(parent))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o700
            archive.addfile(entry)
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{folder_name}/{name}")
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    write_bytes(path, buffer.getvalue())


def read_archive(path: Path) -> KitFolder:
    """A kit's files from a .tar.gz; nothing is unpacked. Raises DataError for what is no whole archive of a kit."""
    kit = KitFolder(path)
    try:
        # To its end: only there does gzip's checksum stand, and a tar file ends before it.
        with gzip.open(path) as packed:
            content = packed.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise _refused(path)
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for count, entry in enumerate(archive):
                _take(kit, archive, entry, path)
                if count > MOST_FILES:
                    raise _refused(path)
    except (tarfile.TarError, EOFError, ValueError, gzip.BadGzipFile, zlib.error):
        raise _refused(path) from None
    except OSError as error:
        raise DataError(
            f"the kit cannot be read ({error.strerror})", where=str(path), fix="check the path"
        ) from None
    return kit


def _take(kit: KitFolder, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    """One entry into the kit. Raises DataError for a link, a device, a path that leads outside."""
    name = "/".join(PurePosixPath(entry.name).parts[1:])
    if entry.isdir():
        return
    stream = archive.extractfile(entry) if entry.isfile() and entry.size <= LARGEST_FILE else None
    if stream is None or not name or ".." in PurePosixPath(name).parts:
        raise _refused(path)
    (kit.keys if name.startswith(f"{KEYS}/") else kit.files)[name] = stream.read()


def _refused(path: Path) -> DataError:
    return DataError(
        "the file is no kit, or not a whole one",
        where=str(path),
        fix="copy it again, whole, or ask for a new one",
    )
