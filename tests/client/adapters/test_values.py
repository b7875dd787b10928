from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.adapters.values import Unusable, coded, flag, grade, identifier, number


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), (" 7 ", 7), ("2,5", 2.5), ("2.5", 2.5), ("1O", 10), ("O", 0), ("o,5", 0.5), ("5,", 5)],
)
def test_numbers_are_read_with_decimal_commas_and_the_letter_o_for_zero(text: str, value: float) -> None:
    assert number(text, 0, 120) == value


@pytest.mark.parametrize("text", ["", "  ", "NA", "nan", "null", "-"])
def test_blank_cells_are_missing(text: str) -> None:
    assert number(text, 0, 120) is None
    assert flag(text) is None
    assert grade(text) is None
    assert coded(text, {"1": 1.0}) is None
    assert identifier(text) is None


@pytest.mark.parametrize("text", ["Não", "dez", "10 anos", "1e3", "inf", "1.234,5", "٣", "--1", "210", "-1"])
def test_what_is_no_number_in_range_is_unusable(text: str) -> None:
    with pytest.raises(Unusable):
        number(text, 0, 120)


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", 1), ("No", 0), ("YES", 1), ("Sim", 1), ("Não", 0), ("1", 1), ("0.0", 0), ("1.0", 1)],
)
def test_flags_are_read_in_english_portuguese_and_digits(text: str, value: float) -> None:
    assert flag(text) == value


@pytest.mark.parametrize("text", ["bv", "2", "maybe", "yess"])
def test_what_is_neither_yes_nor_no_is_unusable(text: str) -> None:
    with pytest.raises(Unusable):
        flag(text)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("4", 4), ("4.0", 4), ("3,0", 3), (" 2 ", 2)])
def test_grades_run_from_0_to_4(text: str, value: int) -> None:
    assert grade(text) == value


@pytest.mark.parametrize("text", ["5", "7", "-1", "2.5", "II", "O", "1e0", "9" * 5000])
def test_another_grade_is_unusable(text: str) -> None:
    with pytest.raises(Unusable, match=r"0 to 4"):
        grade(text)


def test_a_spreadsheets_decimals_do_not_make_another_patient() -> None:
    assert identifier("12.0") == identifier(" 12") == "12"
    assert identifier("12.5") == "12.5"
    assert identifier("A1.0") == "A1.0"


@given(st.floats(0, 120).map(lambda value: round(value, 3)))
def test_every_number_written_with_a_comma_is_read_back(value: float) -> None:
    assert number(f"{value:.3f}".replace(".", ","), 0, 120) == pytest.approx(value, abs=1e-9)


REASONS = {
    "not a number",
    "outside 0 to 120",
    "neither yes nor no",
    "not a whole number from 0 to 4",
    "outside 0 to 4",
}


@given(st.text())
def test_any_text_gives_a_value_in_range_or_a_reason_that_does_not_repeat_it(text: str) -> None:
    reasons = set()
    for reader, allowed in (
        (lambda t: number(t, 0, 120), lambda v: 0 <= v <= 120 and math.isfinite(v)),
        (flag, lambda v: v in (0.0, 1.0)),
        (grade, lambda v: v in range(5)),
    ):
        try:
            value = reader(text)
        except Unusable as unusable:
            reasons.add(str(unusable))
        else:
            assert value is None or allowed(value)
    assert reasons <= REASONS
