"""What check prints, its JSON and its report may be passed on: no name, id, date, path or note is in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from boundary import configured, opened
from leak_search import leaks
from leak_sites import NAMES, SECRETS, SITES, picture_name

from client.check.check import CheckResult, run_check
from client.check.document import document
from client.check.report import render as report


def dirty(kind: str, folder: Path) -> None:
    """Something wrong of every sort, so that check has much to say: a torn photograph, a copy, one without a row."""
    photographs = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".dcm"))
    photographs[0].write_bytes(photographs[0].read_bytes()[:300])
    photographs[1].write_bytes(NAMES[0].encode())
    photographs[2].write_bytes(photographs[3].read_bytes())
    photographs[4].rename(photographs[4].with_name(picture_name(999, "od") + photographs[4].suffix))
    for table in folder.glob("*.csv"):
        lines = table.read_text("utf-8").splitlines()
        cells = lines[12].split(",")
        lines[12] = ",".join([*cells[:3], NAMES[1], *cells[4:]])
        lines[14] += f",{NAMES[2]}"
        lines[16] = lines[16].replace(",od,", f",{NAMES[3]},").replace(",yes,", f",{NAMES[3]},")
        table.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture(scope="module", params=SITES)
def checked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CheckResult:
    kind = request.param
    folder = SITES[kind](tmp_path_factory.mktemp(kind))
    dirty(kind, folder)
    site = configured(folder, kind)
    return run_check(site, opened(site), estimate=False)


def allowed(result: CheckResult) -> list[str]:
    """The secrets, but for the words of the table's own file name, which says where to look."""
    return [secret for secret in SECRETS if secret not in result.source]


def test_check_has_much_to_say(checked: CheckResult) -> None:
    kinds = {finding.kind for finding in checked.findings}
    assert len(kinds) >= 4
    assert any(leaks(repr(finding.rows), SECRETS) for finding in checked.findings)  # what stays at the site


def test_neither_findings_nor_verdict_hold_a_secret(checked: CheckResult) -> None:
    said = [
        text
        for finding in checked.findings
        for text in (finding.kind, finding.what, finding.where, finding.fix)
    ]
    assert leaks("\n".join([*said, *checked.verdict.lines]), allowed(checked)) == []


def test_the_document_holds_no_secret(checked: CheckResult) -> None:
    text = json.dumps(document(checked))
    assert leaks(text, allowed(checked)) == []
    assert leaks(text + NAMES[0], allowed(checked))


def test_the_report_holds_no_secret(checked: CheckResult) -> None:
    text = report(checked)
    assert leaks(text, allowed(checked)) == []
    assert leaks(text.replace("</body>", f"{NAMES[0]}</body>"), allowed(checked))


def test_nothing_that_a_site_keeps_is_readable(tmp_path: Path) -> None:
    """State is sealed: a stolen folder without its key holds no secret."""
    folder = SITES["brset"](tmp_path)
    site = configured(folder, "brset")
    run_check(site, opened(site), estimate=False)
    kept = [path for path in site.state.rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        assert leaks(path.read_bytes(), SECRETS) == [], path.name
