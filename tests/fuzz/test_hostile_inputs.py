"""Whatever lies in a site's folder, it is read or set aside with a reason: no crash, no hang, no flood, no loss."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fuzz_child
import pytest
from fuzz_inputs import FORMATS, SHARES

from client.adapters import adapters

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


Case = tuple[str, int]


@dataclass
class Found:
    """What became of the cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    held: int = 0

    def take(self, case: dict[str, Any], result: dict[str, Any]) -> None:
        word = result["outcome"].split(":")[0]
        self.outcomes[word] += 1
        self.slowest = max(self.slowest, result["seconds"])
        self.held = max(self.held, result["held"])
        if word.isupper():
            self.failures.append(f"{case['kind']} {case['number']} ({case['name']}): {result['outcome']}")


def hunt(cases: list[Case], folder: Path) -> Found:
    """Try the cases in a process of their own; one that dies is started again behind the case it died of."""
    found = Found()
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}:{HERE}",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
    command = [sys.executable, str(HERE / "fuzz_child.py"), str(folder)]
    while cases:
        done = subprocess.run(
            command,
            input=json.dumps(cases),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
            check=False,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        for case, result in zip(lines[::2], lines[1::2], strict=False):
            found.take(case, result)
        if done.returncode == 0 and len(lines) == 2 * len(cases):
            break
        died = f"{lines[-1]}" if len(lines) % 2 else done.stderr[-600:]
        found.failures.append(f"the process ended with {done.returncode}: {died}")
        cases = cases[len(lines) // 2 + 1 :] if lines else []
    return found


def hunt_all(total: int, folder: Path, processes: int) -> Found:
    """Every format's share of `total` cases."""
    known = {kind: fuzz_child.ADAPTER.get(kind, "brset") in adapters() for kind in FORMATS}
    shares = {kind: SHARES[kind] for kind in FORMATS if known[kind]}
    cases = [(k, n) for k in shares for n in range(max(1, round(total * shares[k] / sum(shares.values()))))]
    parts = [cases[at::processes] for at in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        results = list(pool.map(lambda at: hunt(parts[at], folder / str(at)), range(processes)))
    return Found(
        sum((one.outcomes for one in results), Counter()),
        [failure for one in results for failure in one.failures],
        max(one.slowest for one in results),
        max(one.held for one in results),
    )


def check(found: Found, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = ", ".join(f"{count} {word}" for word, count in sorted(found.outcomes.items()))
    with capsys.disabled():
        print(
            f"\n{datetime.date.today()} hostile inputs: {found.outcomes.total()} tried, {outcomes}; "
            f"slowest {found.slowest:.1f} s, memory at most {found.held / 2**20:.0f} MB"
        )
    assert not found.failures, "\n" + "\n".join(found.failures[:60])
    assert found.held < fuzz_child.GROWTH


def test_a_few_hostile_inputs_of_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(hunt_all(60, tmp_path, 1), capsys)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_hostile_inputs_are_read_or_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config
) -> None:
    check(hunt_all(pytestconfig.getoption("--fuzz-cases", None) or 500, tmp_path, 2), capsys)
