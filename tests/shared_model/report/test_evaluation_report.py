"""The evaluation page: whole, self-contained, escaped, and never a figure that the data does not support."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from shared_model.metrics import Predictions
from shared_model.report.evaluation import Cases, Place, Search, render
from shared_model.report.text import share
from shared_model.report.verdict import with_interval
from tests.shared_model.report.evaluation_sample import GUARD, cases, evaluated, page
from tests.shared_model.test_report import Page

SECTIONS = (
    "summary",
    "inputs",
    "referable",
    "confusion",
    "calibration",
    "referral",
    "subgroups",
    "retrieval",
    "examples",
    "errors",
)


@pytest.fixture(scope="module")
def html() -> str:
    return page()


def plain(value: float | None) -> str:
    return share(value).replace("\u00a0", " ")


def unlabelled(p: Predictions) -> Predictions:
    return replace(p, truth={task: np.full_like(truth, -1) for task, truth in p.truth.items()})


def one_grade(p: Predictions) -> Predictions:
    return replace(p, truth={task: np.zeros_like(truth) for task, truth in p.truth.items()})


def one_patient(p: Predictions) -> Predictions:
    return p.select(p.patient == p.patient[0])


def no_numbers(p: Predictions) -> Predictions:
    nothing = {
        task: {given: np.full_like(rows, np.nan) for given, rows in inputs.items()}
        for task, inputs in p.probabilities.items()
    }
    vectors = {
        k: {side: np.full_like(v, np.nan) for side, v in pair.items()} for k, pair in p.embeddings.items()
    }
    return replace(p, probabilities=nothing, embeddings=vectors)


def without_vectors(p: Predictions) -> Predictions:
    return replace(
        p, embeddings={}, note=np.full_like(p.note, -1), site=np.full_like(p.site, ""), attributes={}
    )


SPOILT: dict[str, tuple[Callable[[Predictions], Predictions], str]] = {
    "no labels": (unlabelled, "ICDR: not available (no record has a label)."),
    "one grade": (one_grade, "ROC of ICDR: not available (no photograph is referable)."),
    "one patient": (one_patient, "There is a single patient: no figure has an interval"),
    "no numbers": (no_numbers, "Calibration of ICDR: not available (no score is a number)."),
    "no vectors": (without_vectors, "Unimodal retrieval: not available (there are no vectors)."),
    "nobody": (
        lambda p: p.select(np.zeros(len(p), dtype=bool)),
        "ICDR: not available (there are no records).",
    ),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_what_the_data_cannot_support_is_named_and_no_figure_stands_for_it(kind: str) -> None:
    change, said = SPOILT[kind]
    shown = Page(page(change, Cases()))
    assert set(SECTIONS) <= shown.ids
    assert said in shown.text
    assert not re.search(r"\b(nan|NaN|None|null|inf|undefined)\b", shown.text)


def test_the_page_is_whole_and_asks_nothing_of_any_network(html: str) -> None:
    shown = Page(html)
    assert set(SECTIONS) <= shown.ids
    assert "http" not in html
    assert "@import" not in html
    assert all(address.startswith(("#", "data:image/")) for address in shown.addresses)
    assert not re.search(r"\b(nan|NaN|None|null|inf|undefined)\b", shown.text)


def test_it_says_that_it_stays_at_the_site_and_is_no_medical_device(html: str) -> None:
    shown = Page(html).text
    assert "This page stays at the site." in shown
    assert shown.count("not a medical device") == 2  # above and below
    assert html.index("research use") < html.index("<main>")


def test_figures_on_the_page_are_those_of_the_document() -> None:
    document, predictions = evaluated()
    shown = Page(render(document, predictions, cases())).text
    icdr = document["models"]["federated"]["all"]["icdr"]
    for given in ("all", "image", "note", "structured", "note_unmasked"):
        found = icdr["by_input"][given]
        kappa = "quadratic_weighted_kappa"
        assert with_interval(found[kappa], found["intervals"][kappa]) in shown
    auroc = icdr["referable"]
    assert f"All inputs {with_interval(auroc['auroc'], auroc['intervals']['auroc'])}" in shown
    for protocol in ("unimodal", "paired"):
        found = document["models"]["federated"]["all"]["retrieval"][protocol]["text_to_image"]
        assert plain(found["recall_at_10"]) in shown
        assert plain(found["ceiling_at_1"]) in shown
    referral = document["trust"]["icdr"]["referral"][0]
    assert (referral["unavailable"] or f"accuracy is {plain(referral['accuracy_of_rest'])}") in shown


def test_hits_are_marked_and_what_a_note_says_is_escaped(html: str) -> None:
    assert html.count('class="shot own"') == 1
    assert html.count('class="shot same"') == 1
    assert html.count('class="shot "') == 1
    assert "&lt;i&gt;nevus" in html
    assert "<b>A scar" not in html
    assert "comes as number 3 of 180; 7 have this note, the first of them number 2" in Page(html).text


def test_a_tie_is_called_one() -> None:
    document, predictions = evaluated()

    def told(own: Place, first: Place, copies: int) -> str:
        search = Search("A scar.", "Line 6", [], own, first, copies, 180)
        return Page(render(document, predictions, Cases([search]))).text

    collapsed = told(Place(90.5, 180, 179), Place(22.625, 180, 173), 7)
    assert "All 180 photographs score the same: the search tells nothing" in collapsed
    assert "comes first" not in collapsed
    some = told(Place(4.5, 4, 3), Place(3.6667, 4, 2), 2)
    assert "comes as number 4.5 of 180, the middle of 4 that score the same" in some
    assert "the first of them number 3.7 on average over 4 that score the same" in some


def test_pooled_folds_say_that_several_models_are_ranked_together(html: str) -> None:
    document, predictions = evaluated()
    document["run"]["folds"] = 5
    said = "scores of the 5 folds’ models are ranked together"
    assert said in Page(render(document, predictions, Cases())).text
    assert "ranked together" not in html


def test_an_error_shows_what_was_recorded_and_how_sure_the_model_was(html: str) -> None:
    shown = Page(html).text.replace(" ,", ",")  # emphasis ends before the comma
    assert "Recorded 4, graded 0 at 90 %; the recorded grade got 1 %." in shown
    assert "SDRG: no photograph was graded wrongly." in shown


def test_paired_retrieval_above_its_ceiling_is_called_what_it_is() -> None:
    document, predictions = evaluated()
    found = document["models"]["federated"]["all"]["retrieval"]["paired"]["text_to_image"]
    found["share_of_ceiling_at_1"] = 1.8
    shown = Page(render(document, predictions, Cases())).text
    assert "More than the ceiling: the vectors have seen more than the note." in shown


def test_a_guard_that_failed_comes_before_any_figure() -> None:
    document, predictions = evaluated(ok=False, errors=["Retrieval leaks: it does."])
    document["guard"] = {**GUARD, "passed": False, "changed": {"text": 60, "image": 2}}
    html = render(document, predictions, Cases())
    shown = Page(html).text
    assert "This evaluation does not hold" in shown
    assert html.index("Retrieval leaks") < html.index('id="summary"')
    assert "60 notes and 2 photographs got another vector" in shown


def test_a_small_subgroup_takes_no_part_and_an_unknown_attribute_is_not_available() -> None:
    shown = Page(page(lambda p: p.select(p.patient < "p15"))).text
    assert "too few to compare" in shown
    assert "not available: there is one group only" in shown  # camera
    assert "not available: it is not recorded" in shown  # age, eye


def test_a_gap_is_set_against_what_chance_alone_gives() -> None:
    document, predictions = evaluated()
    gap = document["subgroups"]["icdr"]["centre"]["gaps"]["quadratic_weighted_kappa"]
    known = {"gap": 0.08, "interval": [0.02, 0.1], "best": "A", "worst": "Centre A", "untested": None}

    def shown(**changed: object) -> str:
        gap.update({**known, **changed})
        return Page(render(document, predictions, Cases())).text

    chance = shown(p=0.3, chance=0.11, more_than_chance=False)
    assert "gap 0.08 between A and Centre A; chance alone gives up to 0.11" in chance
    assert "that it serves that site worse is not shown" in chance
    assert "more than chance would make" not in chance.partition("gap 0.08")[2][:120]
    real = shown(p=0.004, chance=0.05, more_than_chance=True)
    assert "gap 0.08 between A and Centre A: more than chance would make (up to 0.05, p = 0.004)" in real
    assert "The site it serves worst is Centre A" in real
    untested = shown(p=None, chance=None, more_than_chance=None, untested="groups share patients")
    assert "gap 0.08 between A and Centre A, not tested: groups share patients" in untested


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.08, "8 %"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.9996, "> 99.9 %"),
        (0.993, "99.3 %"),
        (0.004, "0.4 %"),
        (0.0004, "0.04 %"),
        (0.00004, "< 0.01 %"),
        (None, "not available"),
    ],
)
def test_a_share_has_no_more_digits_than_it_needs_and_is_never_rounded_to_none_or_all(
    value: float | None, text: str
) -> None:
    assert plain(value) == text
