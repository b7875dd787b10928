"""What a person at the terminal is asked: the authority's password, and whether a fingerprint is the right one.

A password is never an argument, which every user of the machine could read; where nobody can be asked, it comes from a
file that nobody else can read.
"""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from deploy.authority.authority import Authority
from deploy.pki.certificates import Signer
from deploy.pki.keys import SHORTEST_PASSWORD, require_private, spoken
from deploy.pki.requests import Checked
from shared_model.command_line import errors
from shared_model.errors import ConfigError, DataError

_FIX = "run it in a terminal, or give --password-file FILE (mode 0600)"


def new_password(file: Path | None, *, none: bool) -> str | None:
    """The password for a new authority, None with none. Raises ConfigError for one that is short."""
    if none:
        if file is not None:
            raise ConfigError("--no-password and --password-file exclude each other", fix="give one of them")
        return None
    password = _from_file(file) if file else _asked("password for the authority's key", twice=True)
    if len(password) < SHORTEST_PASSWORD:
        raise ConfigError(
            f"the password is shorter than {SHORTEST_PASSWORD} characters",
            where=str(file or "password"),
            fix="take a few words; it is asked for a few times a year, and guards the whole federation",
        )
    return password


def unlock(authority: Authority, file: Path | None) -> Signer:
    """The authority with its key, its password asked for where it has one."""
    if not authority.is_locked():
        return authority.unlock(None)
    return authority.unlock(_from_file(file) if file else _asked("password of the authority's key"))


def _from_file(file: Path) -> str:
    try:
        require_private(file)
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError("the password file is not text", where=str(file), fix="write it as UTF-8") from None
    except OSError as error:
        raise DataError(
            f"the password file cannot be read ({error.strerror})", where=str(file), fix="check the path"
        ) from None


def _asked(prompt: str, *, twice: bool = False) -> str:
    if not sys.stdin.isatty():
        raise ConfigError("the password of the authority's key is needed", where="standard input", fix=_FIX)
    answer: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True)
    return answer


def agree(proven: Checked, fingerprint: str) -> None:
    """Refuse a request whose fingerprint is not the one that was read out."""
    given = "".join(fingerprint.lower().split()).replace(":", "")
    errors.print(f"request of {proven.name}, fingerprint\n  {spoken(proven.fingerprint)}")
    if not given and not sys.stdin.isatty():
        raise ConfigError(
            "nobody is there to compare the fingerprint",
            where="standard input",
            fix="give it with --fingerprint",
        )
    if given and given != proven.fingerprint:
        raise DataError(
            "the fingerprint is not the request's: it was made by somebody else, or altered on its way",
            where="--fingerprint",
            fix="approve nothing; ask the site to make the request again and to read the fingerprint out",
        )
    if not given:
        typer.confirm("did the site read out the same by telephone?", abort=True, err=True)
