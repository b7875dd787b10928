from __future__ import annotations

import re
from pathlib import Path

from server.errors import Code, CoordinatorError

DOCUMENT = Path(__file__).parents[2] / "docs" / "coordinator.md"


def test_every_number_is_explained_and_none_else() -> None:
    explained = re.findall(r"^\| (C\d+) \|", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(explained) == sorted(code.value for code in Code)
    assert len(set(explained)) == len(explained)


def test_the_number_stands_before_the_message_and_not_in_what_may_leave() -> None:
    error = CoordinatorError(Code.NO_SITE, "no site is connected", fix="start the sites")
    assert str(error) == "C101 no site is connected\n  fix: start the sites"
    assert error.what == "no site is connected"
