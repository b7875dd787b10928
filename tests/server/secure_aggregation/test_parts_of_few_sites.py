"""A part of the model that one site alone can train: no sum may be that site's own update."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from secure_sites import SecureSites, assert_mean, model, tolerance

from server.errors import Code, CoordinatorError
from server.history import RoundRecord
from server.store.run_folder import RunFolder
from shared_model.exchange.parameters import Arrays
from shared_model.model.parts import PARTS

TEXT = "model.text_projection.weight"
NO_TEXT = tuple(part for part in PARTS if part != "text")
Sites = Callable[..., SecureSites]


def with_notes(found: SecureSites, *names: str) -> Arrays:
    """The base of sites of which these alone have notes."""
    others = [site for site in found.addresses() if site not in names]
    found.trains = dict.fromkeys(others, NO_TEXT)
    found.untrained = {site: [TEXT] for site in others}
    return model() | {TEXT: np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)}


def test_what_one_site_alone_trains_stays_there_and_all_else_is_the_mean(
    sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[dict[str, Any]] = []
    monkeypatch.setattr(RunFolder, "event", lambda _, what, **said: events.append(said))
    found = sites(4)
    base = with_notes(found, "site-02")
    last = found.loop(tmp_path / "run").run(base)
    found.untrained["site-02"] = [TEXT]
    assert_mean(last, found.plain_mean(base, found.addresses()), tolerance(found, base, 4))
    assert np.array_equal(last[TEXT], base[TEXT])
    assert [said["reason"] for said in events] == ["one site of the round alone trains: text"]


def test_what_two_sites_train_is_their_mean(sites: Sites, tmp_path: Path) -> None:
    found = sites(4)
    base = with_notes(found, "site-01", "site-02")
    last = found.loop(tmp_path / "run").run(base)
    assert_mean(last, found.plain_mean(base, found.addresses()), tolerance(found, base, 4))
    assert not np.array_equal(last[TEXT], base[TEXT])


@pytest.mark.parametrize("names", [("site-02",), ("site-01", "site-02")])
def test_losses_are_told_where_all_sites_train_the_same_parts(
    names: tuple[str, ...], sites: Sites, tmp_path: Path
) -> None:
    found, records = sites(4), list[RoundRecord]()
    found.loop(tmp_path / "run", records).run(with_notes(found, *names))
    together = records[-1].to_dict()["together"]
    assert (together["loss"], together["losses"]) == (None, {})


def test_where_one_of_two_that_train_a_part_is_lost_nothing_is_opened(sites: Sites, tmp_path: Path) -> None:
    found = sites(5)
    base = with_notes(found, "site-01", "site-02")
    found.lost = {"site-01": "train"}
    with pytest.raises(CoordinatorError) as stopped:
        found.loop(tmp_path / "run").run(base)
    assert stopped.value.code == Code.BELOW_QUORUM
    assert {step for step, *_ in found.refused} == {"survivors"}
    assert all("fewer than two sites are left that train the part text" in said for *_, said in found.refused)


def test_the_next_session_goes_on_without_the_part(sites: Sites, tmp_path: Path) -> None:
    found = sites(5, "federation.silence=60")
    base = with_notes(found, "site-01", "site-02")
    found.lost = {"site-01": "train"}

    def gone_for_good(step: str, site: str, request: object) -> object:
        if step == "survivors":
            found.lost = {"site-01": "keys"}
        return request

    found.alter = gone_for_good  # type: ignore[assignment]
    last = found.loop(tmp_path / "run").run(base)
    assert np.array_equal(last[TEXT], base[TEXT])
