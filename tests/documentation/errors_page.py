# ruff: noqa: E501 (the page's own lines)
"""Writes docs/guides/errors.md from the numbers in the code and the explanations in docs/, so that neither drifts.

`python tests/documentation/errors_page.py` writes it (`make errors-page`); test_error_page.py compares.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

import deploy.errors
import server.errors

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guides" / "errors.md"
SOURCES = {"coordinator": server.errors.Code, "provisioning": deploy.errors.Code}

# What a site answers in place of an update stands beside its name in `fedfundus-coordinator status`, without a number:
# part of the sentence in the code, and what to do.
AT_A_SITE = (
    ("has not named the federation it believes", "at the site: `fedfundus-site approve --kit KIT`"),
    ("has not approved the installed package", "compare the hash, then at the site `fedfundus-site approve`"),
    ("has not approved the run plan", "the same; until then it is not answered"),
    ("the installed package was changed while this site's worker was running", "restart the worker, approve"),
    ("this site has not joined the run that asks", "`resume` lets it join again"),
    ("is signed with a certificate that was revoked", "do not approve; telephone the coordinator"),
    ("this site's worker cannot be reached", "start the worker; see that the gateway may open its socket"),
    (
        "takes part only in runs that train under differential privacy",
        "the operator's choice: `require_private`",
    ),
    ("this site's privacy limit", "`fedfundus-site budget`; the operator's limit holds"),
    ("the privacy ledger lacks a charge", "put the newest ledger back"),
    (
        "at this site the run name",
        "launch the run under another `--name`",
    ),
    ("the site's configuration does not fit", "its worker's log says which key of `site.toml`"),
)

HEAD = """# Errors by number

For every role. Written by `make errors-page` from the code's numbers and their pages. A message has its number first, then where, then the fix: believe the message's own fix before this table's.
Numbers are never used again. Messages without one are about a file or an option that was given; they name it. Exit codes: 2, what was given is wrong; 3, the machine, the network or a run refused; 4, stopped on request; 130, interrupted.

| number | what | what to do |
|---|---|---|
"""
TAIL = """
C1 joining, C2 rounds, C3 the record of runs, C4 Flower ([the coordinator](../coordinator.md)); P1 `federation.yaml`, P2 a kit, P3 processes of a machine, P4 the way to the coordinator ([provisioning](../provisioning.md)).

## What a site answers instead
Beside a site's name in `fedfundus-coordinator status`, and in `fedfundus-site audit` as `refused`. Only our own first sentence leaves a site; the rest is in its worker's log.

| it says | what to do |
|---|---|
"""


def explained(document: str) -> dict[str, str]:
    """Number -> its row, of a page's table of errors, its links as seen from the guides."""
    text = (ROOT / "docs" / f"{document}.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\((?!guides/)([\w-]+\.md)", r"](../\1", text).replace("](guides/", "](")
    found: dict[str, str] = {}
    for row in re.finditer(r"^\| ([CP]\d{3}) \|.*$", text, flags=re.MULTILINE):
        if row[1] in found:
            raise ValueError(f"docs/{document}.md explains {row[1]} twice")
        found[row[1]] = row[0]
    return found


def numbers(codes: type[Enum]) -> list[str]:
    return sorted(str(code.value) for code in codes)


def page() -> str:
    """The page. Raises KeyError for a number that its document does not explain."""
    rows = [explained(document)[number] for document, codes in SOURCES.items() for number in numbers(codes)]
    said = [f"| … {sentence} … | {fix} |" for sentence, fix in AT_A_SITE]
    return HEAD + "\n".join(rows) + "\n" + TAIL + "\n".join(said) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
