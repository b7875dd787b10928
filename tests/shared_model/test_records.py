from __future__ import annotations

import pandas as pd
import pandera.errors
import pytest

from shared_model.records import COLUMNS, TEXT, build, validate


def test_a_record_needs_only_its_id_patient_and_photograph() -> None:
    table = build({"record_id": ["a"], "patient_id": ["p"], "image_path": ["x.jpg"]})
    assert tuple(table.columns) == COLUMNS
    assert table.drop(columns=["record_id", "patient_id", "image_path"]).isna().all(axis=None)


def test_text_is_pandas_own_str_even_where_all_of_it_is_missing() -> None:
    table = build({"record_id": ["a"], "patient_id": ["p"], "image_path": ["x.jpg"], "masked_note": [""]})
    for name in ("record_id", "note", "masked_note", "split", "center"):
        assert table[name].dtype == TEXT == "str"
    assert table["note"].isna().all()
    assert table["masked_note"].tolist() == [""]


def test_a_table_without_records_has_the_same_types() -> None:
    one = build({"record_id": ["a"], "patient_id": ["p"], "image_path": ["x.jpg"]})
    pd.testing.assert_series_equal(build({}).dtypes, one.dtypes)


@pytest.mark.parametrize(
    ("column", "value"),
    [("icdr", 5), ("icdr", -1), ("age", 121.0), ("sex", 2.0), ("split", "exam"), ("patient_id", None)],
)
def test_values_outside_the_schema_are_refused(column: str, value: object) -> None:
    columns = {"record_id": ["a"], "patient_id": ["p"], "image_path": ["x.jpg"], column: [value]}
    with pytest.raises(pandera.errors.SchemaErrors, match=column):
        build(columns)


def test_records_are_unique_and_columns_known() -> None:
    table = build({"record_id": ["a"], "patient_id": ["p"], "image_path": ["x.jpg"]})
    with pytest.raises(pandera.errors.SchemaErrors, match="record_id"):
        validate(pd.concat([table, table], ignore_index=True))
    with pytest.raises(KeyError, match="colour"):
        build({"colour": ["red"]})
