"""A simulated site is made to do without notes or values: its own records only, and a name nobody has is refused."""

from __future__ import annotations

import pandas as pd
import pytest

from shared_model.errors import ConfigError
from shared_model.records import STRUCTURED, build, validate
from simulations.withholding import notices, withheld

SITES = {"centro": ["p0", "p1"], "norte": ["p2"]}


@pytest.fixture
def table() -> pd.DataFrame:
    patients = ["p0", "p2", "p1", "p3"]
    values = {name: [1.0] * 4 for name in STRUCTURED}
    notes = [f"note of {patient}" for patient in patients]
    return build(
        {
            "record_id": patients,
            "patient_id": patients,
            "image_path": patients,
            "note": notes,
            "masked_note": notes,
            "split": ["train", "test", "validation", "train"],
            **values,
        }
    )


def test_a_site_loses_what_it_is_to_lack_in_every_split_and_nobody_else_does(table: pd.DataFrame) -> None:
    before = table.copy()
    found = withheld(table, SITES, {"centro": ["text", "insulin"]})
    pd.testing.assert_frame_equal(table, before)
    own = table["patient_id"].isin(SITES["centro"])
    lost = ["note", "masked_note", "insulin"]
    assert found.loc[own, lost].isna().all(axis=None)
    pd.testing.assert_frame_equal(found[~own], table[~own])
    pd.testing.assert_frame_equal(found.drop(columns=lost), table.drop(columns=lost))
    validate(found)


def test_structured_is_all_six_values(table: pd.DataFrame) -> None:
    found = withheld(table, SITES, {"norte": ["structured"]})
    assert found.loc[found["patient_id"] == "p2", list(STRUCTURED)].isna().all(axis=None)
    assert found["note"].notna().all()
    validate(found)


def test_nothing_withheld_is_the_table_itself(table: pd.DataFrame) -> None:
    assert withheld(table, SITES, {}) is table
    assert notices({"norte": []}) == []


def test_a_site_that_the_partition_does_not_have_is_refused_by_name(table: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"no site 'sul'[\s\S]*federation.withhold.sul[\s\S]*centro, norte"):
        withheld(table, SITES, {"sul": ["text"]})


def test_what_was_withheld_is_said() -> None:
    said = notices({"centro": ["text", "structured"]})
    assert said == ["Site centro was made to do without text and structured (federation.withhold)."]
