from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from client.adapters.notes import NO_ABNORMALITY, SENTENCES, render
from client.data.notes import mask_grade
from shared_model.records import FINDINGS

RECORDED = st.fixed_dictionaries({name: st.sampled_from([0.0, 1.0, None]) for name in FINDINGS})


def test_every_finding_has_its_own_sentence() -> None:
    assert tuple(SENTENCES) == FINDINGS
    assert len(set(SENTENCES.values())) == len(FINDINGS)
    assert all(sentence.endswith(" is present.") for sentence in SENTENCES.values())


def test_positives_are_named_in_order() -> None:
    findings = dict.fromkeys(FINDINGS, 0.0) | {"macular_edema": 1.0, "diabetic_retinopathy": 1.0}
    assert render(findings) == "Diabetic retinopathy is present. Macular edema is present."


def test_nothing_positive_is_a_note_and_nothing_recorded_is_none() -> None:
    assert render(dict.fromkeys(FINDINGS, 0.0)) == NO_ABNORMALITY
    assert render({"scar": 0.0}) == NO_ABNORMALITY
    assert render({}) is None
    assert render(dict.fromkeys(FINDINGS)) is None


@given(RECORDED)
def test_a_masked_note_does_not_depend_on_the_retinopathy_flag(findings: dict[str, float | None]) -> None:
    affirmed, denied = (render({**findings, "diabetic_retinopathy": flag}) for flag in (1.0, 0.0))
    assert affirmed is not None
    assert denied is not None
    assert mask_grade(affirmed) == mask_grade(denied)


@given(RECORDED)
def test_masking_keeps_every_other_finding(findings: dict[str, float | None]) -> None:
    others = [SENTENCES[n] for n in FINDINGS[1:] if findings[n] == 1.0]
    note = render(findings)
    if note is not None:
        assert mask_grade(note) == " ".join(others)
