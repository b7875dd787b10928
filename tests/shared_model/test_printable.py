"""What somebody else sent is shown as text: nothing in it moves a cursor, hides, or runs on for a page."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model.errors import DataError
from shared_model.printable import LONGEST, printable, visible


@pytest.mark.parametrize("text", ["São Paulo, Kreuzberg 7 (north)", "moema", "", "눈"])
def test_names_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jmoema", "?[2Jmoema"),
        ("\x9b31mmoema", "?31mmoema"),
        ("moema\r\nrun first: finished", "moema??run first: finished"),
        ("moema\u202egnilaer", "moema?gnilaer"),
        ("moema\u2028x", "moema?x"),
        ("\ud800", "?"),
    ],
)
def test_what_a_terminal_would_obey_is_a_question_mark(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(), st.integers(1, 40))
def test_every_character_is_one_that_is_seen_and_there_are_no_more_than_were_allowed(
    text: str, longest: int
) -> None:
    shown = printable(text, longest)
    assert len(shown) <= longest
    assert not any(unicodedata.category(one)[0] == "C" for one in shown)


def test_a_long_text_is_cut_and_says_so() -> None:
    assert printable("x" * 10_000) == "x" * (LONGEST - 1) + "…"


def test_an_error_shows_lines_and_nothing_that_moves_a_cursor() -> None:
    error = DataError("a site\x1b]0;owned\x07 differs", where="site moema\x1b[2J", fix="ask\nit")
    assert "\x1b" not in str(error)
    assert "\x07" not in str(error)
    assert "ask\nit" in str(error)
    assert visible("two\nlines") == "two\nlines"
