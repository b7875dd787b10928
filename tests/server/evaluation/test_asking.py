from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors.numpy import load_file
from typer.testing import CliRunner

from client.worker.simulated import forget_workers, open_worker
from server.cli import app
from server.evaluation.asking import judge, judged
from server.handshake import Roster
from server.sites import Question, SiteFailure
from server.store import RunFolder
from server.store.runs import RunStore
from shared_model.artefact import load_artefact
from shared_model.config import Config
from shared_model.evaluation.pooled_table import pooled_table
from shared_model.exchange import Payload, shared_tensors
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.progress import RunProgress
from shared_model.version import PIPELINE_VERSION
from simulations.run import Run


class Finished:
    """Sites that are asked about a finished model; `broken` ones answer what cannot be read."""

    def __init__(self, root: Path, sites: list[str], broken: Mapping[str, Any] | None = None) -> None:
        self.root, self.sites, self.broken = root, sites, broken or {}
        self.asked: list[tuple[str, str]] = []
        self.breaks_off_at = ""

    def addresses(self) -> list[str]:
        return [f"address of {site}" for site in self.sites]

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        for address, request in sorted(payloads.items(), reverse=True):
            site = address.removeprefix("address of ")
            if question == self.breaks_off_at:
                raise KeyboardInterrupt
            self.asked.append((site, question))
            if site in self.broken:
                yield address, self.broken[site]
            else:
                yield address, getattr(open_worker(self.root, site), question)(request)


@pytest.fixture(scope="module")
def simulated(
    data_folder: Path, small_config: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Config, Path]:
    config = small_config("data.minimum_cell=2")
    out = tmp_path_factory.mktemp("simulated") / "run"
    with RunProgress(Console(quiet=True)) as progress:
        Run(config, data_folder, out, progress).execute()
    return config, out


@pytest.fixture
def finished(simulated: tuple[Config, Path], workspace: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """The same records and weights as the simulation's, at sites that a coordinator asks."""
    config, out = simulated
    root, prepared = workspace(config)
    folder = RunFolder(tmp_path / "run")
    model = load_artefact(out / "model", PIPELINE_VERSION)
    kept = load_file(out / "model" / "model.safetensors")
    travel = shared_tensors(Objective(build_model(config.model, seed=config.seed), config.losses))
    folder.save_weights("last", {name: kept[name] for name in travel})
    folder.save_json("standardisation.json", model.standardisation.to_dict())
    names = sorted(prepared.sites)

    def ask(
        broken: Mapping[str, Any] | None = None, breaks_off_at: str = ""
    ) -> tuple[dict[str, Any], Finished]:
        sites = Finished(root, names, broken)
        sites.breaks_off_at = breaks_off_at
        roster = Roster(dict(zip(sites.addresses(), names, strict=True)), dict.fromkeys(sites.addresses(), 9))
        found = judge(sites, roster, config, folder)
        assert judged(folder) == json.loads(json.dumps(found))
        return found, sites

    yield ask
    forget_workers()


def test_a_federation_ends_in_the_table_and_calibration_of_its_simulation(
    finished: Callable[..., Any], simulated: tuple[Config, Path]
) -> None:
    found, sites = finished()
    out = simulated[1]
    assert found["pooled"] == json.loads((out / "metrics.json").read_text())["pooled"]
    calibration = json.loads((out / "model" / "calibration.json").read_text())
    calibration.pop("weights_sha256")
    assert found["calibration"] == calibration
    assert found["left_out"] == {}
    assert [question for _, question in sites.asked] == [
        question for question in ("temperature", "scores", "site_figures") for _ in sites.sites
    ]


@pytest.mark.parametrize("at", ["scores", "site_figures"])
def test_a_judgement_that_was_broken_off_goes_on_with_the_temperatures_it_had_fitted(
    at: str, finished: Callable[..., Any]
) -> None:
    whole, sites = finished()
    with pytest.raises(KeyboardInterrupt):
        finished(breaks_off_at=at)
    first = sites.sites[0]
    resumed, asked = finished({first: SiteFailure("is not connected")})
    assert resumed["calibration"]["temperature"] == whole["calibration"]["temperature"]
    assert "temperature" not in [question for _, question in asked.asked]
    assert set(resumed["left_out"]) == {"scores", "site_figures"}
    again, asked = finished({first: SiteFailure("is not connected")})  # the one before is finished: all anew
    assert set(again["left_out"]) == {"temperature", "scores", "site_figures"}


def test_temperatures_of_other_weights_are_not_taken_up(finished: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        finished(breaks_off_at="scores")
    folder = RunFolder(tmp_path / "run")
    folder.save_weights("last", {name: 0.5 * array for name, array in folder.load_weights("last").items()})
    _, asked = finished()
    assert "temperature" in [question for _, question in asked.asked]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (SiteFailure("is not connected"), "is not connected"),
        (Payload(), "sent no answer to it"),
        (Payload(fields={"temperature": {}, "scores": {}, "site_figures": {}}), "cannot be understood"),
        (Payload(fields=dict.fromkeys(("temperature", "scores", "site_figures"), 7)), "sent no answer to it"),
    ],
)
def test_a_site_that_gives_nothing_usable_is_left_out_by_name_and_the_others_count(
    finished: Callable[..., Any], answer: Any, why: str
) -> None:
    whole, sites = finished()
    first, other = sites.sites
    found, _ = finished({first: answer})
    assert set(found["left_out"]) == {"temperature", "scores", "site_figures"}
    assert all(set(sites) == {first} for sites in found["left_out"].values())
    assert all(why in sites[first] for sites in found["left_out"].values())
    assert list(found["pooled"]["sites"]) == [other]
    assert 0 < found["pooled"]["icdr"]["all"]["n"] < whole["pooled"]["icdr"]["all"]["n"]


def test_without_any_site_the_table_says_so_and_holds_no_figure(finished: Callable[..., Any]) -> None:
    _, sites = finished()
    found, _ = finished(dict.fromkeys(sites.sites, SiteFailure("is not connected")))
    assert found["pooled"]["icdr"]["all"]["quadratic_weighted_kappa"] is None
    assert found["pooled"]["icdr"]["all"]["unavailable"] == "no site tells"
    assert found["calibration"]["temperature"] == {}


def test_the_coordinator_prints_the_table_that_the_simulation_prints(
    finished: Callable[..., Any], simulated: tuple[Config, Path], tmp_path: Path
) -> None:
    config, out = simulated
    store = RunStore(tmp_path / "store")
    store.create("real", config, federation="here", canary=False, plan=None)
    found, _ = finished()
    found["left_out"] = {"scores": {"site-9": "is not connected"}}
    store.open("real").save_json("evaluation.json", found)
    shown = CliRunner().invoke(app, ["figures", "real", "--store", str(store.folder)]).stdout
    console = Console(highlight=False, width=160, record=True, quiet=True)
    console.print(pooled_table(json.loads((out / "metrics.json").read_text())["pooled"]))
    assert console.export_text() in shown
    assert "site-9 did not answer scores: is not connected" in shown
    printed = CliRunner().invoke(app, ["figures", "real", "--json", "--store", str(store.folder)]).stdout
    assert json.loads(printed) == {"run": "real", **json.loads(json.dumps(found))}
