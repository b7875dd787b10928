"""One federation a session for tests that change nothing, and a copy of it for those that do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kit_makers import make

from deploy.authority.authority import Authority
from deploy.cli import main
from deploy.provision import Workplace

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return make(tmp_path_factory.mktemp("federation"))


@pytest.fixture
def place(untouched: Workplace, tmp_path: Path) -> Workplace:
    """A federation of one's own."""
    shutil.copytree(untouched.out.parent, tmp_path / "federation")
    authority = Authority.open(tmp_path / "federation" / "authority")
    return Workplace(authority, untouched.signer, tmp_path / "federation" / "kits", untouched.now)


@pytest.fixture
def provision(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: (exit code, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fedfundus-provision", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return code, captured.out, captured.err

    return run
