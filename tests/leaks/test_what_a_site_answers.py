"""No name, id, date, path or note is in anything a site answers, whichever adapter read its data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from boundary import configured, opened, prepared_site, reply, worker_of
from leak_search import leaks
from leak_sites import NAMES, SECRETS, SITES

from client.adapters import adapters
from client.site.prepare import Prepared
from client.worker import Worker
from shared_model.config import Config
from shared_model.exchange import Payload, shared_tensors
from shared_model.exchange.flower_records import PROBLEM, from_records
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.progress import RunProgress
from shared_model.statistics import Standardisation

QUESTIONS = ("join", "statistics", "train", "evaluate")
HOW = ("field", "key", "tensor", "tensor's name", "shape")
# Only the answer to train has tensors of its own, and it is the longest to search.
CONTROLS = [(q, how) for q in QUESTIONS for how in HOW if (q == "train") == how.startswith("tensor")]
Site = tuple[Prepared, Worker]


@pytest.fixture(scope="module")
def sites(
    tmp_path_factory: pytest.TempPathFactory, small_config: Callable[..., Config]
) -> Callable[[str], Site]:
    made: dict[str, Site] = {}

    def site(kind: str) -> Site:
        if kind not in made:
            root = tmp_path_factory.mktemp(kind)
            prepared = prepared_site(configured(SITES[kind](root), kind))
            made[kind] = prepared, worker_of(prepared, small_config(), root)
        return made[kind]

    return site


@pytest.fixture
def request_of(standardisation: Standardisation) -> Callable[[Worker], Payload]:
    def make(worker: Worker) -> Payload:
        fresh = Objective(build_model(worker.config.model, seed=worker.config.seed), worker.config.losses)
        fields = {"round": 1, "learning_rate": 1e-3, "standardisation": standardisation.to_dict()}
        return Payload(shared_tensors(fresh), fields)

    return make


def test_every_adapter_has_a_site() -> None:
    assert set(SITES) == set(adapters())


@pytest.mark.parametrize("kind", SITES)
def test_the_records_hold_what_is_searched_for(kind: str, sites: Callable[[str], Site]) -> None:
    """Otherwise there would be nothing to leak."""
    table = sites(kind)[0].table
    assert len(table) >= 30
    assert leaks(table.to_csv(), SECRETS)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("kind", SITES)
def test_no_answer_holds_a_secret(
    kind: str,
    question: str,
    sites: Callable[[str], Site],
    request_of: Callable[[Worker], Payload],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = sites(kind)[1]
    sent, everything = reply(question, lambda: worker, request_of(worker), monkeypatch)
    assert PROBLEM not in from_records(sent.content).fields
    assert leaks(everything, SECRETS) == []


@pytest.mark.parametrize(("question", "how"), CONTROLS)
def test_a_secret_put_into_an_answer_is_found(
    question: str,
    how: str,
    sites: Callable[[str], Site],
    request_of: Callable[[Worker], Payload],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: the same search of the same messages finds what was put there."""
    worker, secret = sites("brset")[1], NAMES[0]
    request = request_of(worker)
    honest = getattr(worker, question)(*([request] if question in ("train", "evaluate") else []))
    letters = np.frombuffer(secret.encode(), np.uint8)
    arrays, fields = dict(honest.arrays), dict(honest.fields)
    if how == "field":
        fields["site"] = f"north ({secret})"
    elif how == "key":
        fields[secret] = 1
    elif how == "tensor":
        arrays["x"] = letters.astype(np.float32)
    elif how == "tensor's name":
        arrays[secret] = np.zeros(3, np.float32)
    else:
        fields["tensors"] = {"x": letters.tolist()}
    monkeypatch.setattr(worker, question, lambda *_: Payload(arrays, fields), raising=True)
    found = leaks(reply(question, lambda: worker, request, monkeypatch)[1], SECRETS)
    if how == "shape":  # numbers in text: the one dress that the search does not undo
        assert found == []
    else:
        assert secret in {one for one, _ in found}


@pytest.mark.parametrize("kind", SITES)
def test_what_describe_prints_and_would_send_holds_no_secret(kind: str, tmp_path: Path) -> None:
    from rich.console import Console

    from client.site.describe import describe_site

    site = configured(SITES[kind](tmp_path), kind)
    with RunProgress(Console(stderr=True)) as progress:
        described = describe_site(site, opened(site), progress)
    assert leaks(described.text + json.dumps(described.message), SECRETS) == []
    assert leaks(described.text + NAMES[1], SECRETS)
