"""No shortcut gives the grade away, and the photograph does."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, label
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from simulations.synthesis.dataset import PHOTOGRAPHS, TABLE, synthesize

pytestmark = pytest.mark.slow  # two data sets are drawn whole
PATIENTS = 600
LIMIT = 0.15


@dataclass(frozen=True)
class Drawn:
    files: list[Path]
    lesions: NDArray[np.float64]
    grade: NDArray[np.int64]
    patient: NDArray[np.str_]
    center: NDArray[np.str_]
    row: NDArray[np.int64]


def lesions(file: Path) -> list[float]:
    """What a plain reader counts: dark and bright spots of several sizes, against their surroundings."""
    with Image.open(file) as picture:
        green = np.asarray(picture, np.float64)[..., 1]
    inside = gaussian_filter((green > 25).astype(float), 6) > 0.97
    around = gaussian_filter(green, 9)
    contrast = (gaussian_filter(green, 1.2) - around) / (around + 10)
    counts = []
    for spots in (contrast < -0.12, contrast < -0.2, contrast > 0.12, contrast > 0.2):
        found, n = label(spots & inside)
        areas = np.bincount(found.ravel())[1:]
        counts += [np.log1p(n), np.log1p(areas.sum()), np.log1p((areas > 25).sum())]
    return [float(count) for count in counts]


@pytest.fixture(scope="module", params=[0, 1])
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("synthesis") / "data"
    synthesize(folder, patients=PATIENTS, seed=request.param)
    with (folder / "centers.csv").open() as file:
        centers = {row["patient_id"]: row["center"] for row in csv.DictReader(file)}
    with (folder / TABLE).open() as file:
        rows = list(enumerate(csv.DictReader(file)))
    kept = [(k, row) for k, row in rows if (folder / PHOTOGRAPHS / f"{row['image_id']}.jpg").exists()]
    files = [folder / PHOTOGRAPHS / f"{row['image_id']}.jpg" for _, row in kept]
    return Drawn(
        files=files,
        lesions=np.array([lesions(file) for file in files]),
        grade=np.array([int(row["DR_ICDR"]) for _, row in kept]),
        patient=np.array([row["patient_id"] for _, row in kept]),
        center=np.array([centers[row["patient_id"]] for _, row in kept]),
        row=np.array([k for k, _ in kept]),
    )


def shortcuts(file: Path) -> dict[str, list[float]]:
    with Image.open(file) as picture:
        quantisation = [float(value) for value in picture.quantization[0][:4]]  # type: ignore[attr-defined]
        pixels = np.asarray(picture, np.float64)
    height, width, _ = pixels.shape
    x, y = np.linspace(0, width - 1, 9).astype(int), np.linspace(0, height - 1, 9).astype(int)
    rim = np.concatenate([pixels[0, x], pixels[-1, x], pixels[y, 0], pixels[y, -1]]).ravel()
    bands = [pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]]
    edges = np.concatenate([band.reshape(-1, 3).mean(axis=0) for band in bands])
    return {
        "file size": [float(file.stat().st_size)],
        "image size": [float(width), float(height)],
        "border pixels": [*rim.tolist(), *edges.tolist()],
        "mean colour": pixels.mean(axis=(0, 1)).tolist(),
        "compression": quantisation,
    }


def probe(features: NDArray[np.float64], grade: NDArray[np.int64], patient: NDArray[np.str_]) -> float:
    """Cross-validated quadratic weighted kappa of a linear reader, patients kept together."""
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    guess = cross_val_predict(model, features, grade, groups=patient, cv=folds)
    return float(cohen_kappa_score(grade, guess, weights="quadratic"))


def test_no_shortcut_gives_the_grade_away_within_a_centre(drawn: Drawn) -> None:
    found = [shortcuts(file) for file in drawn.files]
    sets = {name: np.array([row[name] for row in found]) for name in found[0]}
    sets["row and patient number"] = np.stack([drawn.row, drawn.patient.astype(np.int64)], axis=1)
    sets["all of them"] = np.concatenate(list(sets.values()), axis=1)
    kappas = {
        (center, name): probe(values[here], drawn.grade[here], drawn.patient[here])
        for center in sorted(set(drawn.center))
        for name, values in sets.items()
        if (here := drawn.center == center).any()
    }
    told = {where: round(kappa, 3) for where, kappa in kappas.items() if kappa >= LIMIT}
    assert not told, kappas


def test_all_photographs_of_a_centre_have_one_size(drawn: Drawn) -> None:
    for center in set(drawn.center):
        here = np.flatnonzero(drawn.center == center)
        sizes = set()
        for k in here:
            with Image.open(drawn.files[k]) as picture:
                sizes.add(picture.size)
        assert len(sizes) == 1


def test_the_photograph_itself_tells_the_grade(drawn: Drawn) -> None:
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 3, 5)))
    guess = cross_val_predict(model, drawn.lesions, drawn.grade, groups=drawn.patient, cv=folds)
    kappa = cohen_kappa_score(drawn.grade, np.clip(np.rint(guess), 0, 4).astype(int), weights="quadratic")
    assert kappa > 0.5, kappa


def test_mild_retinopathy_is_harder_to_tell_from_none_than_severe_is(drawn: Drawn) -> None:

    def accuracy(other: int) -> float:
        pair = (drawn.grade == 0) | (drawn.grade == other)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        guess = cross_val_predict(
            model, drawn.lesions[pair], drawn.grade[pair], groups=drawn.patient[pair], cv=folds
        )
        truth = drawn.grade[pair]
        return float(np.mean([(guess[truth == grade] == grade).mean() for grade in (0, other)]))

    assert accuracy(3) > 0.9
    assert accuracy(1) < accuracy(3) - 0.05
