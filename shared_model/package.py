"""What is installed here, as one hash: over every file of the folders that would be run.

Taken of the folders themselves, not of the list of files that came with the package, so that a file that somebody
added later (an adapter that is found by its name, say) changes it as well. It is for honest machines: whoever can
change the package as root can change what it says of itself. Bytecode and other people's packages are not in it.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from shared_model.errors import RunError

PACKAGES = ("client", "deploy", "server", "shared_model", "simulations")
_BYTECODE = "__pycache__"


def package_sha256() -> str:
    """SHA-256 over name and content of every file of the installed package, hexadecimal.

    Raises RunError where a file cannot be read.
    """
    digest = hashlib.sha256(b"fedfundus package 1\n")
    for package in PACKAGES:
        folder = _folder(package)
        for path in sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
            name = f"{package}/{path.relative_to(folder).as_posix()}"
            digest.update(f"{name}\n{_content_sha256(path)}\n".encode())
    return digest.hexdigest()


def _folder(package: str) -> Path:
    found = find_spec(package)
    places = list(found.submodule_search_locations or []) if found is not None else []
    if len(places) != 1:
        raise RunError(
            "the package is not installed whole, or twice",
            where=package,
            fix="install it again in an environment of its own",
        )
    return Path(places[0])


def _files(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if _BYTECODE not in path.parts and path.suffix != ".pyc" and path.is_file()
    ]


def _content_sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RunError(
            f"a file of the installed package cannot be read ({error.strerror})",
            where=str(path),
            fix="install the package again",
        ) from None
