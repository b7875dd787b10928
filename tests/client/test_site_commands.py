"""fedfundus-site as its operator meets it: one evening from init to purge, and what can go wrong in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from client import cli


class Said(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["fedfundus-site", *arguments])
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                cli.main()
        finally:
            signal.signal(signal.SIGTERM, before)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def site(data_folder: Path, tmp_path: Path, command: Command) -> Path:
    shutil.copytree(data_folder, tmp_path / "data")
    file = tmp_path / "site.toml"
    assert command("init", str(tmp_path), "--data", str(tmp_path / "data"), "--name", "paulista").code == 0
    file.write_text(file.read_text().replace('preset = "paper"', 'preset = "tiny"'))
    return file


def test_an_evening_from_init_to_purge(site: Path, command: Command) -> None:
    told = ("--config", str(site))
    checked = command("check", *told, "--no-estimate", "--json", "--report", str(site.parent / "check.html"))
    document = json.loads(checked.out)
    assert checked.code == document["verdict"]["exit_code"] == 1
    assert "<html" in (site.parent / "check.html").read_text()
    described = json.loads(command("describe", *told, "--json").out)
    assert described["join"]["site"] == "paulista"
    assert described["statistics"]
    assert command("exclude", "3", *told).code == 0
    assert command("exclude", "no such patient", *told).code == 1
    again = json.loads(command("describe", *told, "--json").out)
    assert again["join"]["examples"] <= described["join"]["examples"]
    assert command("include", "3", *told).out.startswith("included again")
    assert command("quarantine", *told).code == 0
    listed = command("purge", *told)
    assert listed.code == 1
    assert "images.npy" in listed.out
    assert (site.parent / ".fedfundus" / "site.key").exists()
    assert command("purge", *told, "--yes").code == 0
    assert not any((site.parent / ".fedfundus").iterdir())
    assert (site.parent / "data" / "labels_brset.csv").exists()


def test_a_report_that_cannot_be_written_is_said_before_anything_is_read(
    site: Path, command: Command
) -> None:
    said = command("check", "--config", str(site), "--report", str(site.parent / "absent" / "check.html"))
    assert said.code == 2
    assert "photographs" not in said.err
    assert "the folder of --report does not exist" in said.err


@pytest.mark.parametrize("name", ["check", "describe", "quarantine", "purge", "exclude"])
def test_a_missing_site_toml_is_one_message(name: str, tmp_path: Path, command: Command) -> None:
    arguments = ("p1",) if name == "exclude" else ()
    said = command(name, *arguments, "--config", str(tmp_path / "site.toml"))
    assert said.code == 2
    assert "the configuration file does not exist" in said.err
    assert "fix:" in said.err


def test_output_that_cannot_be_written_is_no_traceback(site: Path) -> None:
    arguments = [sys.executable, "-m", "client", "describe", "--config", str(site), "--json"]
    with open("/dev/full", "w") as full:
        said = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert said.returncode == 3
    assert "No space left" in said.stderr
    assert "Traceback" not in said.stderr


def test_ctrl_c_while_the_program_still_loads_is_no_traceback(site: Path) -> None:
    arguments = [sys.executable, "-m", "client", "check", "--config", str(site)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    while "pandas" not in Path(f"/proc/{process.pid}/maps").read_text():
        pass
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_what_is_too_old_is_gone_before_it_is_shown(site: Path, command: Command) -> None:
    told = ("--config", str(site))
    command("check", *told, "--no-estimate")
    held = site.parent / ".fedfundus" / "quarantine.csv"
    os.utime(held, (0, 0))
    said = command("quarantine", *told)
    assert "nothing is in quarantine" in said.err
    assert "deleted by [retention]" in said.err
    assert not held.exists()
