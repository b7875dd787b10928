"""`evaluate` on data that support little or nothing: named, never a crash, never a made-up figure."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from client.data.images import PIPELINE_VERSION
from client.inference import guard as guard_module
from client.inference.predict import predict
from shared_model.artefact import save_artefact
from shared_model.calibration import Calibration
from shared_model.config import Config, load_config
from shared_model.errors import DataError
from shared_model.losses import Objective
from shared_model.metrics.predictions import Predictions
from shared_model.model import Tokenizer
from shared_model.progress import RunProgress
from shared_model.statistics import Standardisation
from simulations.evaluate import evaluate_model
from simulations.partitions import describe
from simulations.prepare import deal, read_records
from simulations.trained_on import MAY_INCLUDE, PARTITION
from tests.shared_model.test_metrics_document import keys
from tests.shared_model.test_report import Page

Rows = list[dict[str, str]]
Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def model_folder(
    tmp_path_factory: pytest.TempPathFactory,
    small_config: Callable[..., Config],
    small_objective: Callable[..., Objective],
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> Path:
    folder = tmp_path_factory.mktemp("evaluated") / "model"
    save_artefact(
        folder,
        small_objective(seed=5).eval(),
        tokenizer,
        small_config(),
        standardisation.to_dict(),
        PIPELINE_VERSION,
        Calibration({"icdr": 2.0}, {"icdr": 16}),
    )
    return folder


@pytest.fixture
def evaluated(model_folder: Path, data_folder: Path, tmp_path: Path) -> Evaluate:
    """The document for the noise folder with its rows changed."""

    def run(change: Callable[[Rows], Rows] = lambda rows: rows, split: str = "all") -> dict[str, Any]:
        data = tmp_path / "data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(data_folder, data)
        with (data_folder / "labels_brset.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        changed = change([dict(row) for row in rows])
        with (data / "labels_brset.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(changed)
        page = tmp_path / "eval.html"
        document = evaluate_model(
            model_folder, data, split, RunProgress(Console(file=io.StringIO())), report=page
        )
        json.dumps(document, allow_nan=False)
        # Whatever the data, there is a page, and what it cannot say it does not say.
        assert not re.search(r"\b(nan|NaN|None|null|inf)\b", Page(page.read_text("utf-8")).text)
        return document

    return run


def each(**values: str) -> Callable[[Rows], Rows]:
    return lambda rows: [{**row, **values} for row in rows]


def test_an_evaluation_says_how_far_it_can_be_trusted(evaluated: Evaluate) -> None:
    document = evaluated()
    assert document["schema"] == "fedfundus.metrics/2"
    assert document["guard"]["passed"] is True
    assert document["verdict"]["ok"] is True
    assert document["verdict"]["warnings"] == [
        MAY_INCLUDE,
        "No temperature was fitted for SDRG (not fitted: fewer than 20 labelled validation photographs, 0 in all): "
        "its probabilities are as they are.",
    ]
    icdr = document["trust"]["icdr"]
    assert (icdr["temperature"], icdr["fitted"], document["trust"]["sdrg"]["fitted"]) == (2.0, True, False)
    assert icdr["calibration"]["before"]["log_loss"] != icdr["calibration"]["after"]["log_loss"]
    assert {group["group"] for group in document["subgroups"]["icdr"]["eye"]["groups"]} == {"right", "left"}
    figures, pooled = document["models"]["federated"]["all"]["icdr"], document["pooled"]["icdr"]
    for given in ("all", "image"):
        assert pooled[given]["exact"]
        assert pooled[given]["confusion"] == figures["by_input"][given]["confusion"]
        low, high = pooled[given]["referable"]["bounds"]["auroc"]
        assert low <= figures["by_input"][given]["referable"]["auroc"] <= high


def test_a_guard_that_fails_is_an_error_of_the_verdict_and_the_figures_stand_beside_it(
    evaluated: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaking(*arguments: Any, **options: Any) -> Predictions:
        found = predict(*arguments, **options)
        found.embeddings["unimodal"] = found.embeddings["paired"]
        return found

    monkeypatch.setattr(guard_module, "predict", leaking)
    document = evaluated()
    assert document["guard"]["passed"] is False
    assert document["verdict"]["ok"] is False
    assert "Retrieval leaks" in document["verdict"]["errors"][0]
    assert document["models"]["federated"]["all"]["retrieval"]["unimodal"]["text_to_image"]["n"] > 0


def test_labels_that_are_missing_altogether_are_not_available(evaluated: Evaluate) -> None:
    whole, document = evaluated(), evaluated(each(DR_SDRG="", DR_ICDR=""))
    icdr = document["models"]["federated"]["all"]["icdr"]
    assert (icdr["n"], icdr["accuracy"], icdr["unavailable"]) == (0, None, "no record has a label")
    assert icdr["referable"]["auroc"] is None
    assert document["trust"]["icdr"]["unavailable"] == "no record has a label"
    assert document["pooled"]["icdr"]["all"]["unavailable"] == "no site tells"
    assert "ICDR is not available: no record has a label." in document["verdict"]["warnings"]
    assert keys(whole["models"]) == keys(document["models"])


def test_one_grade_only_gives_no_kappa_and_no_referable_figure(evaluated: Evaluate) -> None:
    document = evaluated(each(DR_ICDR="0", DR_SDRG="0"))
    icdr = document["models"]["federated"]["all"]["icdr"]
    assert (icdr["quadratic_weighted_kappa"], icdr["unavailable"]) == (None, "only one grade occurs")
    assert icdr["referable"]["unavailable"] == "no photograph is referable"
    assert icdr["accuracy"] is not None


def test_a_single_patient_has_figures_without_intervals(evaluated: Evaluate) -> None:
    document = evaluated(lambda rows: rows[:2])
    icdr = document["models"]["federated"]["all"]["icdr"]
    assert icdr["n"] == 2
    assert "a single patient: no intervals" in icdr["unavailable"]
    assert set(icdr["intervals"].values()) == {None}
    assert document["subgroups"]["icdr"]["sex"]["gaps"]["accuracy"]["gap"] is None


def test_without_notes_retrieval_is_not_available_and_the_guard_says_why(evaluated: Evaluate) -> None:
    from tests.conftest import INDICATORS

    document = evaluated(each(**dict.fromkeys(INDICATORS, "")))
    found = document["models"]["federated"]["all"]["retrieval"]["unimodal"]["text_to_image"]
    assert (found["recall_at_1"], found["n"]) == (None, 0)
    assert found["unavailable"] == "fewer than two records have a note"
    assert document["guard"]["ran"] is False
    assert "The leak guard did not run" in document["verdict"]["warnings"][1]
    assert document["models"]["federated"]["all"]["icdr"]["by_input"]["note"]["unavailable"] == (
        "no record has this input"
    )


def test_scores_that_are_no_numbers_are_named(evaluated: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> Predictions:
        found = predict(*arguments, **options)
        for task in found.probabilities:
            found.probabilities[task]["all"][:3] = np.nan
        return found

    monkeypatch.setattr("simulations.evaluate.predict", broken)
    document = evaluated()
    assert document["verdict"]["errors"] == ["3 of 80 photographs have a score that is not a number."]
    assert document["models"]["federated"]["all"]["icdr"]["n"] == 77
    assert set(document["pooled"]["sites"].popitem()[1].values()) <= {"a probability is not a number", None}


def test_no_test_patient_and_another_architecture_are_refused_by_name(
    model_folder: Path, data_folder: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    shutil.copytree(data_folder, trained)
    (trained / "split.csv").write_text("patient_id,split\n" + "".join(f"{n},train\n" for n in range(40)))
    with pytest.raises(DataError, match="there is no test patient"):
        evaluate_model(model_folder, trained, "test", RunProgress(Console(file=io.StringIO())))
    other = tmp_path / "other"
    shutil.copytree(model_folder, other)
    text = (other / "config.toml").read_text()
    (other / "config.toml").write_text(text.replace("joint = 32", "joint = 16"))
    with pytest.raises(DataError, match="another architecture"):
        evaluate_model(other, data_folder, "all", RunProgress(Console(file=io.StringIO())))


def test_every_record_may_hold_patients_that_the_model_was_trained_on_and_all_three_say_so(
    model_folder: Path, data_folder: Path, tmp_path: Path
) -> None:
    screen, page = io.StringIO(), tmp_path / "eval.html"

    def warned(folder: Path, split: str = "all") -> list[str]:
        found = evaluate_model(folder, data_folder, split, RunProgress(Console(file=screen)), report=page)
        warnings: list[str] = found["verdict"]["warnings"]
        return warnings

    assert warned(model_folder)[0] == MAY_INCLUDE
    assert "may include patients the model was trained on" in " ".join(screen.getvalue().split())
    assert MAY_INCLUDE in Page(page.read_text("utf-8")).text
    run = tmp_path / "run"
    shutil.copytree(model_folder, run / "model")
    config = load_config(file=run / "model" / "config.toml")
    table, images, *_ = read_records(data_folder, config, tmp_path)
    counts = describe(table, deal(table, images, config))
    (run / PARTITION).write_text(json.dumps(counts))
    trained = table.loc[table["split"] == "train", "patient_id"].nunique()
    said = warned(run / "model")[0]
    assert "include patients the model was trained on" in said
    assert f"of whose 40 patients it was trained on {trained} " in said
    assert said in Page(page.read_text("utf-8")).text
    assert not any("trained on" in warning for warning in warned(run / "model", "test"))
    next(iter(counts["sites"].values()))["notes"] += 1  # another data set of as many patients
    (run / PARTITION).write_text(json.dumps(counts))
    assert warned(run / "model")[0] == MAY_INCLUDE
    (run / PARTITION).write_text("[")
    assert warned(run / "model")[0] == MAY_INCLUDE
