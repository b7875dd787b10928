"""`fedfundus-provision`: the door of whoever sets up a federation, and of a site that makes its own keys.

What must be signed needs the authority's folder and its password; everything else here works without either.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from shared_model.command_line import errors
from shared_model.command_line import run as run_command
from shared_model.errors import ConfigError, DataError

if TYPE_CHECKING:
    from deploy.provision import Outcome, Workplace

app = typer.Typer(
    help="Certificates, keys and kits of a federation: made, renewed, revoked and checked.",
    no_args_is_help=True,
    add_completion=False,
)

AuthorityFolder = Annotated[
    Path, typer.Option("--authority", help="The authority's folder: offline, backed up, in no kit.")
]
Out = Annotated[Path, typer.Option("--out", help="Where the kits are written.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="The authority's password, instead of asking for it.")
]
Archive = Annotated[bool, typer.Option("--archive", help="Also write each kit as one .tar.gz.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]
Kit = Annotated[Path, typer.Argument(help="The kit's folder.")]
AUTHORITY, KITS = Path("authority"), Path("kits")


@app.command()
def example() -> None:
    """Print a federation.yaml with every key explained."""
    from deploy.federation import example as text

    sys.stdout.write(text())


@app.command()
def new(
    federation: Annotated[Path, typer.Argument(help="federation.yaml: who takes part.")],
    out: Out = KITS,
    authority: AuthorityFolder = AUTHORITY,
    password_file: PasswordFile = None,
    no_password: Annotated[
        bool,
        typer.Option("--no-password", help="Leave the authority's key unencrypted: for trying things out."),
    ] = False,
    archive: Archive = False,
) -> None:
    """Make the authority and a kit for the coordinator and each site; again, for the sites that were added."""
    from deploy.asking import new_password
    from deploy.authority.authority import REGISTER, Authority
    from deploy.federation import load_federation
    from deploy.provision import Workplace, new_federation

    described = load_federation(federation)
    _require_apart(authority, out)
    if (authority / REGISTER).exists():
        with _opened(authority, out, password_file, archive) as place:
            outcome = new_federation(place, described)
    else:
        now = datetime.now(UTC)
        password = new_password(password_file, none=no_password)
        made, signer = Authority.create(authority, described, password, now)
        outcome = new_federation(Workplace(made, signer, out, now, archive), described)
        print(
            f"wrote the authority to {authority}: take it offline, keep a copy in another place, hand it to nobody"
        )
        if password is None:
            errors.print(
                "notice: its key is not encrypted: whoever reads it can join the federation", markup=False
            )
    _tell(outcome)
    if outcome.written:
        print("next: fedfundus-provision verify KIT; hand each to its member, in person where it holds keys")


@app.command()
def request(
    kit: Kit,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The request's file; by default NAME.request.json beside the kit."),
    ] = None,
    new_keys: Annotated[
        bool, typer.Option("--new-keys", help="Make other keys although this kit has some.")
    ] = False,
) -> None:
    """At the site: make the private keys here and write the request for them, which holds no secret."""
    from deploy.kits.requesting import request_certificate
    from deploy.pki.keys import spoken

    asked = request_certificate(kit, out, datetime.now(UTC), new_keys=new_keys)
    print(
        f"{'made' if asked.made else 'used the waiting'} keys in {kit / 'keys' / 'pending'}: they stay here"
    )
    print(f"wrote {asked.file}: send it to whoever runs the authority of {asked.federation}")
    print(f"and read them this by telephone:\n  {spoken(asked.fingerprint)}")
    print(f"next: what comes back: fedfundus-provision install FILE {kit}")


@app.command()
def approve(
    request: Annotated[Path, typer.Argument(help="The request's file, as it came.")],
    fingerprint: Annotated[
        str, typer.Option(help="What the site read out; without it, you are asked whether it is the same.")
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="The member made new keys: revoke its old ones.")
    ] = False,
    out: Out = KITS,
    authority: AuthorityFolder = AUTHORITY,
    password_file: PasswordFile = None,
    archive: Archive = False,
) -> None:
    """Check a request, show its fingerprint, certify its keys and write the newer kit."""
    from deploy.asking import agree
    from deploy.pki.requests import read_request
    from deploy.provision import approve as certify

    try:
        content = request.read_bytes()
    except OSError as error:
        raise DataError(
            f"the request cannot be read ({error.strerror})", where=str(request), fix="check the path"
        ) from None
    asked = read_request(content, str(request))
    with _opened(authority, out, password_file, archive) as place:
        outcome = certify(
            place, asked, str(request), replace=replace, agreed=lambda proven: agree(proven, fingerprint)
        )
    _tell(outcome)
    print(
        f"next: send the kit of {asked.name} back; the coordinator needs its newer kit as well (install, then reload)"
    )


@app.command()
def renew(
    members: Annotated[list[str], typer.Argument(help="Sites, or coordinator.")],
    new_keys: Annotated[
        bool, typer.Option("--new-keys", help="On new keys, made here; the old ones are revoked.")
    ] = False,
    out: Out = KITS,
    authority: AuthorityFolder = AUTHORITY,
    password_file: PasswordFile = None,
    archive: Archive = False,
) -> None:
    """Certify the same keys for another lifetime; no other kit is touched."""
    from deploy.provision import renew as certify

    with _opened(authority, out, password_file, archive) as place:
        outcome = certify(place, members, new_keys=new_keys)
    _tell(outcome)
    print(
        "next: send each kit to its member, who installs it over the old one: fedfundus-provision install FILE KIT"
    )


@app.command()
def revoke(
    member: Annotated[str, typer.Argument(help="A site, or coordinator.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    out: Out = KITS,
    authority: AuthorityFolder = AUTHORITY,
    password_file: PasswordFile = None,
    archive: Archive = False,
) -> None:
    """Shut a member out: its certificates are revoked and it leaves the roster."""
    from deploy.provision import revoke as shut_out

    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("nobody is there to be asked", where="standard input", fix="repeat with --yes")
        typer.confirm(f"revoke every certificate of {member}? It cannot be undone", abort=True, err=True)
    with _opened(authority, out, password_file, archive) as place:
        outcome = shut_out(place, member)
    _tell(outcome)
    print("next: install the newer kit at once and reload nginx: until then nobody is refused")


@app.command()
def install(
    source: Annotated[Path, typer.Argument(help="The newer kit: a folder or a .tar.gz.")],
    kit: Annotated[Path, typer.Argument(help="The kit's folder; its keys are kept.")],
) -> None:
    """Install a newer kit over an older one, whole or not at all."""
    from deploy.kits.install import install as bring
    from deploy.pki.keys import spoken

    installed = bring(source, kit, datetime.now(UTC))
    manifest = installed.manifest
    if not installed.changed:
        print(f"kit {manifest.number} of {manifest.name} lies there already: nothing changed")
        return
    print(f"installed kit {manifest.number} of {manifest.name} in {manifest.federation}")
    print(f"authority {spoken(installed.authority)}")
    print(f"next: fedfundus-provision verify {kit}; where nginx runs: reload it (README.md)")


@app.command()
def verify(
    kit: Kit,
    authority: Annotated[
        str, typer.Option("--authority", help="The authority's fingerprint, as you know it from elsewhere.")
    ] = "",
    federation: Annotated[str, typer.Option(help="The federation's name, as you know it.")] = "",
    as_json: Json = False,
) -> None:
    """Check a kit: files, signature, keys, permissions, dates.

    Exit code 0: good. 1: good, something expires soon. 2: do not use it.
    """
    from deploy.kits.verify import verify as check
    from deploy.screen import show_verified

    result = check(kit, datetime.now(UTC), authority, federation)
    if as_json:
        print(json.dumps({**asdict(result), "exit_code": result.exit_code}, indent=1, default=str))
    else:
        show_verified(result, _console())
    raise typer.Exit(result.exit_code)


@app.command("list")
def list_members(authority: AuthorityFolder = AUTHORITY, as_json: Json = False) -> None:
    """Every member, what it has and until when; exit code 1 where something expires within four weeks."""
    from deploy.authority.authority import Authority
    from deploy.listing import listing
    from deploy.screen import show_listing

    result = listing(Authority.open(authority), datetime.now(UTC))
    if as_json:
        print(json.dumps(result.document(), indent=1))
    else:
        show_listing(result, _console())
    raise typer.Exit(result.exit_code)


def _require_apart(authority: Path, out: Path) -> None:
    """Raise ConfigError where the authority's folder would lie among the kits."""
    if out.resolve() == authority.resolve() or out.resolve() in authority.resolve().parents:
        raise ConfigError(
            "the authority's folder would lie among the kits",
            where=str(authority),
            fix="give it a place of its own with --authority: it is never handed over",
        )


@contextmanager
def _opened(authority: Path, out: Path, password_file: Path | None, archive: bool) -> Iterator[Workplace]:
    """An authority that exists, unlocked, with other commands kept off it."""
    from deploy.asking import unlock
    from deploy.authority.authority import Authority, locked
    from deploy.provision import Workplace

    Authority.open(authority)  # says that there is none before a lock could
    with locked(authority):
        opened = Authority.open(authority)
        yield Workplace(opened, unlock(opened, password_file), out, datetime.now(UTC), archive)


def _tell(outcome: Outcome) -> None:
    for name in outcome.written:
        print(f"wrote {outcome.folder / name}")
    for notice in outcome.notices:
        errors.print(f"notice: {notice}", markup=False)
    if not outcome.written:
        print("every kit is as it should be: nothing was written")


def _console() -> Console:
    """Standard output; a file gets lines that are wide enough to copy a command from."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def main() -> None:
    """Run a command; see shared_model.command_line."""
    run_command(app, interrupted="nothing was changed", memory="close other programs and run again")
