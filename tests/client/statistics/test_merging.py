"""Who knows the rule and sees the answer still cannot tell a small cell: every small table is tried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.statistics.merging import MISSING, draw_order, hold_back, merge, patients_may_be_told
from shared_model.statistics import Counts

Sums = tuple[int, ...]
Patient = tuple[int, ...]  # the cell of each photograph


def one_photograph_each(table: Iterable[int]) -> list[Patient]:
    return [(cell,) for cell, count in enumerate(table) for _ in range(count)]


def arrays(patients: list[Patient]) -> tuple[np.ndarray, np.ndarray]:
    codes = [cell for patient in patients for cell in patient]
    owners = [index for index, patient in enumerate(patients) for _ in patient]
    return np.array(codes, dtype=np.int64), np.array(owners, dtype=np.int64)


def tables(cells: int, largest: int) -> Iterator[Sums]:
    return (table for table in product(range(largest + 1), repeat=cells) if sum(table) <= largest)


def answers(patients: list[Patient], cells: int, minimum: int) -> Iterator[object]:
    """Everything the site might say of these patients, whatever its secret order is."""
    codes, owners = arrays(patients)
    if len(patients) < minimum:
        yield (None, None, None)
        return
    told = len(patients) if patients_may_be_told(owners, minimum) else None
    lacking = sum(MISSING in patient for patient in patients)
    complete = [index for index, patient in enumerate(patients) if MISSING not in patient]
    drawn = minimum - lacking if 0 < lacking < minimum else 0
    seen = set()
    for held in combinations(complete, min(drawn, len(complete))):
        kinds = tuple(sorted(patients[index] for index in held))
        if kinds in seen:
            continue
        seen.add(kinds)
        order = np.full(len(patients), len(patients))
        order[list(held)] = np.arange(len(held))
        table = merge(hold_back(codes, owners, order, minimum), owners, cells, minimum)
        yield (len(codes), told, table)


def narrowest(worlds: list[list[Patient]], cells: int, minimum: int) -> tuple[int, int]:
    """The fewest values that any small count of any world could have, by what is told of it.

    First of the cells of the table and the photographs without a value, then of the patients with several
    photographs and of those with one.
    """
    consistent = defaultdict(list)
    for world in worlds:
        fact = [sum(cell in patient for patient in world) for cell in (*range(cells), MISSING)]
        fact += [sum(len(patient) > 1 for patient in world), sum(len(patient) == 1 for patient in world)]
        for answer in answers(world, cells, minimum):
            consistent[answer].append(fact)
    widths: tuple[list[int], list[int]] = ([99], [99])
    for possible in consistent.values():
        for position, values in enumerate(zip(*possible, strict=True)):
            if any(0 < value < minimum for value in values):
                widths[position > cells].append(len(set(values)))
    return min(widths[0]), min(widths[1])


@pytest.mark.parametrize("minimum", [2, 3, 4])
@pytest.mark.parametrize(("cells", "largest"), [(2, 12), (3, 12), (5, 9)])
def test_a_small_cell_could_be_as_many_values_as_the_minimum(cells: int, largest: int, minimum: int) -> None:
    consistent = defaultdict(list)
    for table in tables(cells, largest):
        consistent[merge(*arrays(one_photograph_each(table)), cells, minimum)].append(table)
    for answer, possible in consistent.items():
        for values in zip(*possible, strict=True):
            if any(0 < value < minimum for value in values):
                assert len(set(values)) >= minimum, (answer, possible)


@pytest.mark.slow
@pytest.mark.parametrize("minimum", [2, 3, 4, 5])
def test_a_small_cell_of_five_could_be_as_many_values_as_the_minimum(minimum: int) -> None:
    test_a_small_cell_could_be_as_many_values_as_the_minimum(5, 12, minimum)


@pytest.mark.parametrize("minimum", [2, 3])
def test_neither_a_cell_nor_what_is_missing_follows_from_the_number_of_photographs(minimum: int) -> None:
    worlds = [one_photograph_each(table[:3]) + [(MISSING,)] * table[3] for table in tables(4, 7)]
    assert narrowest(worlds, 3, minimum)[0] >= minimum


def one_or_two_photographs(photographs: int, cells: int) -> list[list[Patient]]:
    """Every set of patients with so many photographs in all, or fewer."""
    kinds = [kind for n in (1, 2) for kind in combinations_with_replacement([MISSING, *range(cells)], n)]
    worlds: list[list[Patient]] = [[]]
    for kind in kinds:
        worlds = [
            world + [kind] * times
            for world in worlds
            for times in range((photographs - sum(map(len, world))) // len(kind) + 1)
        ]
    return worlds


@pytest.mark.parametrize(
    ("cells", "photographs", "minimum"),
    [(1, 9, 2), (1, 9, 3), (2, 7, 2), pytest.param(2, 8, 3, marks=pytest.mark.slow)],
)
def test_nor_does_it_where_patients_have_several(cells: int, photographs: int, minimum: int) -> None:
    """Whoever knows that nobody has more than two still cannot tell how many have two, nor any cell."""
    table, several = narrowest(one_or_two_photographs(photographs, cells), cells, minimum)
    assert table >= minimum
    assert several >= 2


def test_blanking_small_cells_or_publishing_empty_ones_would_tell() -> None:
    """The tests above can fail: the rule they replace, and one that absorbs no empty cells, do."""

    def blank(table: Sums) -> object:
        return (sum(table), tuple(None if 0 < count < 2 else count for count in table))

    def empty_apart(table: Sums) -> object:
        if not any(0 < count < 2 for count in table):
            return table
        return merge(*arrays(one_photograph_each(table)), 2, 2)

    for rule in (blank, empty_apart):
        consistent = defaultdict(set)
        for table in tables(2, 6):
            consistent[rule(table)].add(table)
        assert any(len(possible) == 1 and 1 in next(iter(possible)) for possible in consistent.values())


def test_sums_beside_a_merged_table_would_tell() -> None:
    """Why years under a minimum are their table and nothing else."""
    told = [table for table in tables(2, 13) if sum(table) == 13 and 33 * table[0] + 34 * table[1] == 437]
    assert told == [(5, 8)]


def test_ten_photographs_of_one_patient_are_one_patient() -> None:
    codes, owners = arrays([(0,) * 10, (1,), (1,), (2,), (2,), (2,)])
    assert merge(codes, owners, 3, 3) == Counts(3, (0, 2), (12, 3))
    assert merge(*arrays([(0,) * 50, (1,)]), 2, 3) is None
    assert merge(*arrays([(0, 1), (0, 1), (1,)]), 2, 3) == Counts(2, (0,), (5,))  # three patients, not five


def test_without_a_minimum_every_cell_stands_alone() -> None:
    codes, owners = arrays([(0,), (2,), (MISSING,)])
    for minimum in (0, 1):
        assert merge(codes, owners, 4, minimum) == Counts.whole([1, 0, 1, 0])
        assert (hold_back(codes, owners, np.arange(3), minimum) == codes).all()


def test_a_patient_is_held_back_with_all_photographs() -> None:
    codes, owners = arrays([(0, 1), (MISSING,), (1, 1), (0,), (1,)])
    kept = hold_back(codes, owners, np.array([4, 0, 1, 3, 2]), 3)
    assert kept.tolist() == [0, 1, MISSING, MISSING, MISSING, 0, MISSING]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(-1, 6)), min_size=1, max_size=120), st.integers(2, 10)
)
def test_groups_cover_the_table_and_rest_on_enough_patients(
    photographs: list[tuple[int, int]], minimum: int
) -> None:
    owners, codes = (np.array(column, dtype=np.int64) for column in zip(*photographs, strict=True))
    table = merge(codes, owners, 7, minimum)
    if table is None:
        assert len(np.unique(owners[codes >= 0])) < minimum
        return
    assert table.total == (codes >= 0).sum()
    for first, last, count in table.groups():
        inside = (codes >= first) & (codes <= last)
        assert count == inside.sum()
        assert len(np.unique(owners[inside])) >= minimum


def test_the_draw_is_secret_and_does_not_change_with_the_other_patients() -> None:
    names = [f"patient {number}" for number in range(50)]
    order = draw_order(names, b"key")
    assert sorted(order) == list(range(50))
    assert order.tolist() != draw_order(names, b"another key").tolist()
    assert order.tolist() != list(range(50))
    fewer = draw_order(names[10:], b"key")
    assert np.argsort(fewer).tolist() == [place - 10 for place in np.argsort(order) if place >= 10]
