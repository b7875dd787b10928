"""The report page: whole, self-contained, escaped, and honest about what is not there."""

from __future__ import annotations

import re
import time
from copy import deepcopy
from html.parser import HTMLParser

import pytest

from shared_model.report import render
from tests.shared_model.test_report_sample import NO_NOTES, SITES, Report, bare_report, report

SECTIONS = (
    "verdict",
    "models",
    "differences",
    "inputs",
    "modalities",
    "convergence",
    "confusion",
    "retrieval",
    "partition",
    "photographs",
    "losses",
    "traffic",
    "weights",
    "configuration",
)
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """The visible text and the addresses of a page; fails on a tag that is not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.stack: list[str] = []
        self.feed(html)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(attrs)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.stack:
            self.words.append(data)

    def note(self, attrs: list[tuple[str, str | None]]) -> None:
        self.ids |= {value or "" for name, value in attrs if name == "id"}
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.words += [value or "" for name, value in attrs if name in ("aria-label", "alt")]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def run() -> Report:
    return report()


@pytest.fixture(scope="module")
def html(run: Report) -> str:
    return render(*run)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def bare() -> Page:
    return Page(render(*bare_report()))


def test_every_section_is_there_even_when_the_data_supports_hardly_anything(page: Page, bare: Page) -> None:
    assert set(SECTIONS) <= page.ids
    assert set(SECTIONS) <= bare.ids


def test_the_page_asks_nothing_of_any_network(html: str, page: Page, bare: Page) -> None:
    assert "http" not in html
    assert "@import" not in html
    for address in page.addresses + bare.addresses:
        assert address.startswith(("#", "data:image/")), address
    assert set(re.findall(r"url\((.)", html)) <= {"#"}


@pytest.mark.parametrize("which", ["page", "bare"])
def test_no_absent_figure_is_printed_as_nan_or_none(which: str, request: pytest.FixtureRequest) -> None:
    text = request.getfixturevalue(which).text
    assert not re.search(r"\b(nan|NaN|None|null|inf|undefined)\b", text)


def test_what_the_data_cannot_support_reads_not_available(bare: Page) -> None:
    for missing in (
        "SDRG differences: not available",
        "SDRG kappa by input: not available",
        "SDRG: not available. No test photograph has a label.",
        "Unimodal retrieval: not available",
        "Convergence: not available",
        "Losses and weights: not available",
        "Sample photographs: not available",
    ):
        assert missing in bare.text


def test_the_verdict_is_made_from_the_numbers(run: Report, page: Page) -> None:
    icdr = run.document["models"]["federated"]["all"]["icdr"]
    assert "The federated model beats the sites alone" in page.text
    assert f"quadratic weighted kappa of {icdr['quadratic_weighted_kappa']:.2f} [" in page.text
    pooled = next(c for c in run.document["comparisons"] if c["b"] == "pooled")
    assert f"{100 * pooled['ratio']:.0f} % of the model trained on all data pooled" in page.text
    assert "the photograph tells more than the note" in page.text


def test_a_gain_whose_interval_holds_zero_is_not_called_one(run: Report) -> None:
    document = deepcopy(run.document)
    for entry in document["comparisons"]:
        entry["interval"] = [-0.1, 0.4]
    text = Page(render(document, *run[1:])).text
    assert "No clear gain over the sites alone" in text
    assert "not clearly different from the mean of the 3 sites alone" in text
    assert "photograph and note cannot be told apart" in text


def test_a_loss_is_called_one(run: Report) -> None:
    document = deepcopy(run.document)
    for entry in document["comparisons"]:
        entry["difference"], entry["interval"] = -0.2, [-0.3, -0.1]
    text = Page(render(document, *run[1:])).text
    assert "The federated model falls behind the sites alone" in text
    assert "0.20 [0.10, 0.30] below the mean of the 3 sites alone" in text
    assert "the note tells more than the photograph" in text


def test_notices_of_the_run_and_of_the_partition_come_before_any_number(html: str) -> None:
    for notice in ("Encoders start from random weights", "the three centres are proxies"):
        assert html.count(notice) == 1
        assert html.index(notice) < html.index('id="verdict"')


def test_paired_retrieval_is_labelled_for_what_it_is(page: Page) -> None:
    assert "Conditioned on the pair, not a retrieval system" in page.text
    for row in ("Ceiling of the notes", "Chance"):
        assert row in page.text


def test_the_page_says_it_is_no_medical_device_and_shows_the_configuration(page: Page) -> None:
    assert "Research use, not a medical device" in page.text
    assert "learning_rate = 0.0001" in page.text


def test_every_model_and_every_site_is_named(page: Page) -> None:
    for name in (
        "Federated",
        "Pooled",
        "Pooled, equal steps",
        "Majority grade",
        *(f"{s} alone" for s in SITES),
    ):
        assert name in page.text


def test_each_modality_has_its_worth_at_every_site_and_what_is_not_held_reads_so(
    run: Report, html: str, bare: Page
) -> None:
    section = Page(
        html[html.index('<section id="modalities">') : html.index('<section id="convergence">')]
    ).text
    for entry in run.document["modalities"]:
        if entry["held"]:
            assert f"{entry['quadratic_weighted_kappa']:.2f} [".replace("-", "−") in section
            assert f", n {entry['n']}" in section
            gain = entry["difference"]
            assert gain is None or f"{round(gain, 2) + 0.0:.2f} [".replace("-", "−") in section
    absent = [entry for entry in run.document["modalities"] if not entry["held"]]
    assert {(entry["on"], entry["input"]) for entry in absent} == {(NO_NOTES, "image_note")}
    assert section.count("not held") == 2 * len(absent)  # in the table and in the drawing of each task
    assert "not available" not in section
    assert "SDRG, kappa SDRG: not available" in bare.text


def test_photographs_are_inside_the_page(page: Page) -> None:
    pictures = [address for address in page.addresses if address.startswith("data:")]
    assert len(pictures) == 15
    assert {address.split(";")[0] for address in pictures} == {"data:image/png", "data:image/jpeg"}


def test_a_photograph_of_another_format_is_refused(run: Report) -> None:
    with pytest.raises(ValueError, match="neither PNG nor JPEG"):
        render(*run[:4], {"Centre A": [(b"<svg onload=alert(1)>", "x")]})


def test_names_notices_captions_and_configuration_cannot_inject_markup(run: Report) -> None:
    attack = '<script>alert("x")</script>$y$&'
    document, history, config, partition, samples = deepcopy(tuple(run))
    for name in ("federated", "majority"):
        document["models"][name][attack] = document["models"][name]["Centre A"]
    document["models"][f"local:{attack}"] = document["models"]["local:Centre A"]
    document["run"]["notices"] = [attack]
    document["run"]["strategy"] = attack
    partition["sites"][attack] = partition["sites"]["Centre A"] | {"cameras": {attack: 3}}
    history += [
        entry | {"model": f"local:{attack}"} for entry in history if entry["model"] == "local:Centre A"
    ]
    html = render(document, history, config + attack, partition, samples | {attack: samples["Centre A"]})
    assert "<script" not in html
    assert Page(html).text.count(attack) > 5


def test_the_same_run_gives_the_same_page(run: Report, html: str) -> None:
    assert render(*run) == html


def test_rendering_takes_seconds(run: Report) -> None:
    start = time.process_time()
    render(*run)
    assert time.process_time() - start < 5


def test_seven_sites_and_long_names_fit(run: Report) -> None:
    document, history, config, partition, samples = deepcopy(tuple(run))
    names = [f"Hospital das Clínicas, ophthalmology outpatient unit {i}" for i in range(7)]
    for name in names:
        document["models"][f"local:{name}"] = document["models"]["local:Centre A"]
        for model in document["models"].values():
            model[name] = model["Centre A"]
    partition["sites"] = dict.fromkeys(names, partition["sites"]["Centre A"])
    assert all(name in Page(render(document, history, config, partition, samples)).text for name in names)
