"""An account that cannot be shortened, changed or forgotten without saying so, and that a crash cannot break."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from client.privacy import ledger as ledger_module
from client.privacy.ledger import BudgetExhausted, Ledger, LedgerError, Spent
from shared_model.errors import FedFundusError

KEY = b"k" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", KEY).create()


@pytest.fixture
def charged(ledger: Ledger) -> Ledger:
    for number in range(4):
        ledger.charge("run", "statistics", 0.5, 1e-6, {"round": number})
    return ledger


def head_of(ledger: Ledger) -> Path:
    return ledger.path.with_name("ledger.head")


def test_what_is_charged_is_spent_and_listed(charged: Ledger) -> None:
    assert charged.spent() == Spent(2.0, 4e-6)
    entries = Ledger(charged.path, KEY).entries()
    assert [(e.index, e.run, e.what, e.epsilon, e.detail["round"]) for e in entries] == [
        (number, "run", "statistics", 0.5, number) for number in range(4)
    ]
    assert {path.stat().st_mode & 0o777 for path in (charged.path, head_of(charged))} == {0o600}


def test_the_limit_is_kept_and_what_is_refused_is_not_charged(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", KEY, limit_epsilon=1.0).create()
    ledger.charge("one", "statistics", 0.7)
    with pytest.raises(BudgetExhausted, match="privacy limit would be passed") as caught:
        ledger.charge("two", "statistics", 0.4)
    assert caught.value.what == "this site's privacy limit would be passed"  # how much was spent stays here
    ledger.charge("two", "statistics", 0.3)
    assert ledger.spent().epsilon == 1.0


def test_an_accountant_may_compose_more_tightly(charged: Ledger) -> None:
    tight = Ledger(
        charged.path, KEY, limit_epsilon=0.6, compose=lambda entries: Spent(0.1 * len(entries), 0.0)
    )
    tight.charge("run", "training", 9.0)
    tight.charge("run", "training", 9.0)
    assert tight.spent() == Spent(pytest.approx(0.6), 0.0)
    with pytest.raises(BudgetExhausted):
        tight.charge("run", "training", 0.0)


@pytest.mark.parametrize(
    ("epsilon", "delta"), [(-1, 0), (float("nan"), 0), (float("inf"), 0), (1, -1), (1, 1)]
)
def test_what_is_no_budget_is_not_charged(epsilon: float, delta: float, ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="must be a budget"):
        ledger.charge("run", "statistics", epsilon, delta)
    assert ledger.entries() == []


def edit(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Ledger], None]:
    def apply(ledger: Ledger) -> None:
        ledger.path.write_bytes(b"".join(change(ledger.path.read_bytes().splitlines(keepends=True))))

    return apply


def cheaper(line: bytes) -> bytes:
    assert b'"epsilon":0.5' in line
    return line.replace(b'"epsilon":0.5', b'"epsilon":0.1')


def recharged(lines: list[bytes]) -> list[bytes]:
    """An entry that is sound under another key."""
    fields = json.loads(lines[-1])
    other = ledger_module.Chain(b"x" * 32, "")
    before = [ledger_module.Entry(**json.loads(line)) for line in lines[:-1]]
    charge = {name: fields[name] for name in ("time", "run", "what", "epsilon", "delta", "detail")}
    return [*lines[:-1], other.line(other.entry(before, **charge))]


TAMPERINGS = {
    "lost": (lambda ledger: ledger.path.unlink(), "ledger is lost"),
    "emptied": (edit(lambda lines: []), "0 entries of 4: it was cut short"),
    "last entry removed": (edit(lambda lines: lines[:-1]), "3 entries of 4: it was cut short"),
    "last entry torn": (edit(lambda lines: [*lines[:-1], lines[-1][:-9]]), "cut short"),
    "first entry removed": (edit(lambda lines: lines[1:]), "out of order at line 1"),
    "middle entry removed": (edit(lambda lines: [*lines[:1], *lines[2:]]), "out of order at line 2"),
    "reordered": (edit(lambda lines: [lines[1], lines[0], *lines[2:]]), "out of order at line 1"),
    "repeated": (edit(lambda lines: [*lines, lines[-1]]), "out of order at line 5"),
    "altered": (edit(lambda lines: [lines[0], cheaper(lines[1]), *lines[2:]]), "altered in line 2"),
    "spaced": (edit(lambda lines: [lines[0].replace(b",", b", ", 1), *lines[1:]]), "altered in line 1"),
    "written with another key": (edit(recharged), "another key"),
    "not JSON": (edit(lambda lines: [*lines[:2], b"\xff\x00\n", *lines[3:]]), "cannot be read in line 3"),
    "another shape": (edit(lambda lines: [b"[1, 2]\n", *lines[1:]]), "cannot be read in line 1"),
    "head lost": (lambda ledger: head_of(ledger).unlink(), "head is lost"),
    "head emptied": (lambda ledger: head_of(ledger).write_bytes(b""), "head that cannot be read"),
    "head altered": (
        lambda ledger: head_of(ledger).write_bytes(head_of(ledger).read_bytes().replace(b"4", b"3", 1)),
        "head that was altered",
    ),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_a_ledger_that_is_not_as_it_was_written_is_refused_by_name(kind: str, charged: Ledger) -> None:
    tamper, words = TAMPERINGS[kind]
    tamper(charged)
    for use in (charged.spent, charged.entries, lambda: charged.charge("run", "statistics", 0.1)):
        with pytest.raises(FedFundusError, match=words):
            use()


def test_an_old_head_or_another_sites_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    old = head_of(ledger).read_bytes()
    ledger.charge("run", "statistics", 0.5)
    ledger.charge("run", "statistics", 0.5)
    head_of(ledger).write_bytes(old)
    with pytest.raises(LedgerError, match="the head is an old one"):
        ledger.spent()
    (tmp_path / "other").mkdir()
    other = Ledger(tmp_path / "other" / "ledger", KEY).create()
    other.charge("run", "statistics", 0.1)
    other.charge("run", "statistics", 0.1)
    head_of(ledger).write_bytes(head_of(other).read_bytes())
    with pytest.raises(LedgerError, match="do not belong together"):
        ledger.spent()


def test_a_ledger_is_begun_once(charged: Ledger) -> None:
    with pytest.raises(LedgerError, match="there is a privacy ledger already"):
        charged.create()
    charged.path.unlink()
    with pytest.raises(LedgerError, match="already"):
        charged.create()


def test_a_ledger_that_another_process_begins_meanwhile_keeps_what_it_charges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that there is none; the other is quicker."""
    late, quick = Ledger(tmp_path / "ledger", KEY), Ledger(tmp_path / "ledger", KEY)

    def begun(_: Ledger) -> bool:
        monkeypatch.undo()
        quick.created().charge("run", "training", 1.0, 1e-5)
        return False

    monkeypatch.setattr(Ledger, "begun", property(begun))
    with pytest.raises(LedgerError, match="there is a privacy ledger already"):
        late.create()
    assert late.created().spent() == quick.spent() == Spent(1.0, 1e-5)


def test_many_that_begin_a_ledger_at_once_all_count(tmp_path: Path) -> None:
    script = CHARGER.replace('b"k" * 32)', 'b"k" * 32)\nsys.stdin.readline()\nledger.created()')
    script = script.replace("while True:", "for _ in range(5):")
    for number in range(3):
        path = tmp_path / str(number) / "ledger"
        path.parent.mkdir()
        running = [
            subprocess.Popen(
                [sys.executable, "-c", script, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            for _ in range(3)
        ]
        for process in running:
            process.communicate(b"\n")
        assert [process.wait() for process in running] == [0, 0, 0]
        assert len(Ledger(path, KEY).entries()) == 15


def test_a_crash_between_line_and_head_counts_and_bricks_nothing(
    charged: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    for before in (4, 6, 8):  # over and over again
        monkeypatch.setattr(Ledger, "_write_head", die)
        with pytest.raises(KeyboardInterrupt):
            charged.charge("run", "statistics", 0.5)
        monkeypatch.undo()
        assert len(charged.entries()) == before + 1
        charged.charge("run", "statistics", 0.5)
    assert charged.spent().epsilon == 5.0


def test_a_line_that_was_never_finished_was_never_charged(charged: Ledger) -> None:
    with charged.path.open("ab") as file:
        file.write(b'{"code":"ab')
    assert charged.spent().epsilon == 2.0
    charged.charge("run", "statistics", 0.5)
    assert charged.spent().epsilon == 2.5


def test_a_full_disk_charges_nothing_and_leaves_the_ledger_sound(
    charged: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FedFundusError, match="disk is full"):
        charged.charge("run", "statistics", 0.5)
    monkeypatch.undo()
    assert charged.spent().epsilon == 2.0
    charged.charge("run", "statistics", 0.5)


def test_the_line_is_flushed_before_the_head_and_the_head_before_charge_returns(
    charged: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushed(handle: int) -> None:
        steps.append("flush " + Path(os.readlink(f"/proc/self/fd/{handle}")).name.split(".")[-1])
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", lambda a, b: (steps.append("head"), replace(a, b)))
    charged.charge("run", "statistics", 0.5)
    assert steps[0] == "flush ledger"
    assert steps[2:] == ["head", f"flush {charged.path.parent.name}"]


CHARGER = """
import sys
from pathlib import Path
from client.privacy.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]), b"k" * 32)
while True:
    ledger.charge("run", "statistics", 0.25)
    print("left", flush=True)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_a_process_killed_at_any_instant_never_counts_too_little(ledger: Ledger, kills: int) -> None:
    left = 0
    for number in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", CHARGER, str(ledger.path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(1 + number % 7):
            left += process.stdout.readline() == "left\n"
        process.send_signal(signal.SIGKILL)
        left += process.stdout.read().count("left\n")
        process.wait()
        assert left <= len(ledger.entries()) <= left + number + 1
    ledger.charge("run", "statistics", 0.25)


def test_two_at_once_both_count(ledger: Ledger) -> None:
    script = CHARGER.replace("while True:", "for _ in range(20):")
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(ledger.path)], stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert len(ledger.entries()) == 40


def test_entries_are_plain_lines_of_json(charged: Ledger) -> None:
    lines = charged.path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [asdict(entry) for entry in charged.entries()]
