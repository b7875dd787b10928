"""fedfundus-provision as a person meets it: the whole way, its exit codes, and one clear message for a mistake."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kit_makers import FEDERATION, NOW, contents

from deploy.pki.keys import needs_password

Run = Callable[..., tuple[int, str, str]]
PASSWORD = "correct horse battery"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a federation.yaml and a password's file; nobody sits at the terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deploy.pki.keys.BCRYPT_ROUNDS", 1)  # the cost of a guess is not what is tested
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    Path("federation.yaml").write_text(FEDERATION)
    Path("password").write_text(PASSWORD + "\n")
    Path("password").chmod(0o600)
    return tmp_path


def spoken(output: str) -> str:
    return next(line for line in output.splitlines() if line.startswith("  ")).strip()


def test_from_the_example_to_a_federation_that_changes_over_time(here: Path, provision: Run) -> None:
    code, text, _ = provision("example")
    assert code == 0
    Path("example.yaml").write_text(text)
    secret = ("--password-file", "password")
    code, out, err = provision("new", "example.yaml", *secret)
    assert (code, err) == (0, "")
    assert "wrote kits/coordinator" in out
    assert needs_password(Path("authority/authority.key").read_bytes())
    assert provision("verify", "kits/coordinator")[0] == 0
    code, out, _ = provision("verify", "kits/moema", "--json")
    assert code == 2
    assert "fedfundus-provision request" in json.loads(out)["findings"][-2]["fix"]
    assert "do not use this kit" in provision("verify", "kits/moema")[1]

    shutil.copytree("kits/moema", "site/moema")
    code, out, _ = provision("request", "site/moema")
    assert code == 0
    read_out = spoken(out)
    code, out, err = provision(
        "approve", "site/moema.request.json", "--fingerprint", read_out, "--archive", *secret
    )
    assert code == 0
    assert read_out in err
    code, out, _ = provision("install", "kits/moema.tar.gz", "site/moema")
    assert code == 0
    assert "installed kit" in out
    code, out, _ = provision("verify", "site/moema", "--json")
    assert code == 0
    assert json.loads(out)["name"] == "moema"

    assert provision("renew", "moema", *secret)[0] == 0
    assert provision("install", "kits/moema", "site/moema")[0] == 0
    code, out, _ = provision("revoke", "moema", "--yes", *secret)
    assert code == 0
    assert "wrote kits/coordinator" in out
    code, out, _ = provision("list")
    assert code == 0
    assert "revoked" in out
    assert {row["state"] for row in json.loads(provision("list", "--json")[1])["members"]} == {
        "valid",
        "revoked",
    }
    assert provision("new", "example.yaml", *secret)[1].startswith("every kit is as it should be")


def test_help_needs_neither_torch_nor_flower() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "deploy", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "typer" in imported
    assert not imported & {
        "torch",
        "flwr",
        "transformers",
        "pandas",
        "ray",
        "client",
        "server",
        "simulations",
    }


def test_no_operation_needs_model_code_or_flower(here: Path) -> None:
    script = (
        "import sys; from deploy import cli, asking, provision, screen, listing;"
        "from deploy.kits import install, verify;"
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'torch', 'flwr', 'transformers', 'pandas', 'client', 'server', 'simulations'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def made(here: Path, provision: Run) -> Path:
    assert provision("new", "federation.yaml", "--password-file", "password")[0] == 0
    return here


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("new", "none.yaml"), "the federation file cannot be read"),
        (("new", "federation.yaml"), "the password of the authority's key is needed"),
        (("new", "federation.yaml", "--password-file", "none"), "the password file cannot be read"),
        (
            ("new", "federation.yaml", "--password-file", "open"),
            "can be read by others than its owner (mode 0644)",
        ),
        (("new", "federation.yaml", "--password-file", "short"), "shorter than 12 characters"),
        (("new", "federation.yaml", "--password-file", "password", "--no-password"), "exclude each other"),
        (("new", "federation.yaml", "--no-password", "--authority", "kits/authority"), "among the kits"),
        (("renew", "moema", "--password-file", "password"), "here is no authority"),
        (("list",), "here is no authority"),
        (("verify", "kits/moema"), "no manifest.json"),
        (("request", "kits/moema"), "no manifest.json"),
        (("install", "none.tar.gz", "kits/moema"), "cannot be read"),
        (("approve", "none.json", "--password-file", "password"), "the request cannot be read"),
        (("approve", "federation.yaml", "--password-file", "password"), "the file is no request"),
        (("revoke", "moema"), "repeat with --yes"),
        (("nonsense",), "No such command"),
    ],
)
def test_a_mistake_is_one_message_and_writes_nothing(
    here: Path, provision: Run, arguments: tuple[str, ...], words: str
) -> None:
    Path("open").write_text(PASSWORD)
    Path("open").chmod(0o644)
    Path("short").write_text("secret")
    Path("short").chmod(0o600)
    before = contents(here)
    code, out, err = provision(*arguments)
    assert code == 2
    assert words in err
    assert out == ""
    assert "Traceback" not in err
    assert err.count("error:") <= 1
    assert contents(here) == before
    assert not Path("kits").exists()


def test_a_wrong_password_is_said_and_changes_nothing(made: Path, provision: Run) -> None:
    Path("wrong").write_text("incorrect horse battery")
    Path("wrong").chmod(0o600)
    before = contents(made)
    for arguments in (("renew", "moema"), ("revoke", "moema", "--yes"), ("new", "federation.yaml")):
        code, _, err = provision(*arguments, "--password-file", "wrong")
        assert code == 2
        assert "the password is wrong" in err
        assert contents(made) == before


@pytest.mark.parametrize("damage", ["truncated", "readable", "missing", "another", "register", "certificate"])
def test_a_damaged_authority_is_said_and_nothing_is_signed(made: Path, provision: Run, damage: str) -> None:
    key = Path("authority/authority.key")
    if damage == "truncated":
        key.write_bytes(key.read_bytes()[:150])
        words = "cut short"
    elif damage == "readable":
        key.chmod(0o644)
        words = "can be read by others"
    elif damage == "missing":
        key.unlink()
        words = "the authority's key cannot be read"
    elif damage == "another":
        provision("new", "federation.yaml", "--no-password", "--out", "k", "--authority", "a")
        shutil.copy("a/authority.key", key)
        words = "do not belong together"
    elif damage == "register":
        Path("authority/register.json").write_text('{"format": 1}')
        words = "register is damaged"
    else:
        Path("authority/authority.pem").write_text("-----BEGIN CERTIFICATE-----\nMII")
        words = "holds no whole certificate"
    before = contents(Path("kits"))
    code, _, err = provision("renew", "moema", "--password-file", "password")
    assert code == 2
    assert words in err
    assert contents(Path("kits")) == before


def test_a_fingerprint_that_is_not_the_requests_is_refused(made: Path, provision: Run) -> None:
    provision("request", "kits/own-keys", "--out", "r.json")
    before = contents(made)
    for given in ((), ("--fingerprint", "0" * 64)):
        code, _, err = provision("approve", "r.json", *given, "--password-file", "password")
        assert code == 2
        assert "fingerprint" in err
        assert contents(made) == before


def test_two_commands_do_not_work_on_one_authority_at_once(made: Path, provision: Run) -> None:
    from deploy.authority.authority import locked

    with locked(Path("authority")):
        code, _, err = provision("renew", "moema", "--password-file", "password")
    assert code == 2
    assert "another command is working" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_said(here: Path, provision: Run) -> None:
    Path("closed").mkdir(mode=0o500)
    code, _, err = provision("new", "federation.yaml", "--no-password", "--out", "closed/kits")
    assert code == 3
    assert "cannot be written" in err


def test_a_kit_reads_well_from_inside_it(made: Path, provision: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its README says `verify .` and `install FILE .`: the folder that somebody stands in stays the same folder."""
    provision("renew", "moema", "--archive", "--password-file", "password")
    inode = Path("kits/moema").stat().st_ino
    monkeypatch.chdir("kits/moema")
    assert provision("verify", ".")[0] == 0
    assert provision("install", "../moema.tar.gz", ".")[0] == 0
    assert Path("../moema").stat().st_ino == inode
    assert str(NOW.year) in Path("manifest.json").read_text()
