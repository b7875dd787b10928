"""The model folder a run hands out: everything inference needs, nothing that stays at a site.

model.safetensors (trunk and shared tensors; the local decoders are not in it), config.toml, standardisation.json
(preprocessing statistics and the image pipeline's version), parameters.json (kind of every tensor, trunk
fingerprint, counts, origin of the encoders), tokenizer/ (with the text encoder's shape) and, where they are known,
calibration.json (temperatures, operating points), held_out.json (how good it was on patients it never saw) and
privacy.json (what differential privacy and secure aggregation promise, of a model trained under them).
calibration.json and held_out.json name the SHA-256 of the weights they are of.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from shared_model.calibration import Calibration
from shared_model.config import Config, to_toml
from shared_model.config.load import from_toml
from shared_model.errors import DataError
from shared_model.exchange import parameter_kinds, read_tensors, trunk_fingerprint
from shared_model.files import naming_disk_errors, write_tensor_file, write_text
from shared_model.held_out import HeldOut
from shared_model.losses import Objective
from shared_model.model import FusionModel, Tokenizer, build_model, load_tokenizer
from shared_model.privacy_statement import privacy_statement
from shared_model.statistics import Standardisation
from shared_model.version import PACKAGE_VERSION

WEIGHTS, STANDARDISATION, PARAMETERS, TOKENIZER = (
    "model.safetensors",
    "standardisation.json",
    "parameters.json",
    "tokenizer",
)
CALIBRATION = "calibration.json"  # may be absent: the model then answers as it is
HELD_OUT = "held_out.json"  # may be absent: nobody then knows how good it is
CONFIG_LINES = "config_lines"  # in parameters.json
OF_WEIGHTS = "weights_sha256"  # in both: of which weights they are
PRIVACY = "privacy.json"  # of a model trained under differential privacy or secure aggregation
_UNTIED = "calibration.json is of an earlier version, which does not say of which weights it is"


@dataclass(frozen=True)
class Artefact:
    """A loaded model folder; the model has no decoders. sha256: of the file of its weights."""

    model: FusionModel
    tokenizer: Tokenizer
    config: Config
    standardisation: Standardisation
    calibration: Calibration = field(default_factory=Calibration)
    held_out: HeldOut | None = None
    sha256: str = ""


def count_parameters(objective: Objective) -> dict[str, int]:
    """How many numbers the model has, how many are trained, travel and stay."""
    kinds = parameter_kinds(objective)
    sizes = {name: parameter.numel() for name, parameter in objective.named_parameters()}
    totals = {kind: sum(sizes[n] for n in sizes if kinds[n] == kind) for kind in ("trunk", "shared", "local")}
    return {"total": sum(sizes.values()), "trainable": totals["shared"] + totals["local"], **totals}


def save_artefact(
    folder: Path,
    objective: Objective,
    tokenizer: Tokenizer,
    config: Config,
    standardisation: dict[str, Any],
    pipeline: str,
    calibration: Calibration | None = None,
    held_out: HeldOut | None = None,
    sites: Sequence[str] = (),
) -> None:
    """Write the folder whole or not at all; an existing one is replaced. calibration, held_out: None if unknown; sites:
    that it was trained at, where they are known.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    kinds, state = parameter_kinds(objective), objective.state_dict()
    with naming_disk_errors(folder):
        temporary.mkdir(parents=True)
        kept = {name: read_tensors(state[name]) for name in state if kinds[name] != "local"}
        write_tensor_file(temporary / WEIGHTS, kept)
        weights = weights_digest(temporary)
        text = to_toml(config)
        write_text(temporary / "config.toml", text)
        write_json(temporary / STANDARDISATION, {"image_pipeline": pipeline, **standardisation})
        for name, known in ((CALIBRATION, calibration), (HELD_OUT, held_out)):
            if known is not None:
                write_json(temporary / name, {**known.to_dict(), OF_WEIGHTS: weights})
        if (statement := privacy_statement(config, sites)) is not None:
            write_json(temporary / PRIVACY, statement)
        write_json(temporary / PARAMETERS, _parameters(objective, text.count("\n")))
        tokenizer.backend.save_pretrained(temporary / TOKENIZER)
        objective.model.save_text_shape(temporary / TOKENIZER)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)


def _parameters(objective: Objective, config_lines: int) -> dict[str, Any]:
    """What parameters.json says."""
    return {
        "package_version": PACKAGE_VERSION,
        CONFIG_LINES: config_lines,
        "counts": count_parameters(objective),
        "trunk_fingerprint": trunk_fingerprint(objective),
        "encoders": objective.model.origin,
        "kinds": parameter_kinds(objective),
    }


def load_artefact(folder: Path, pipeline: str) -> Artefact:
    """Read a model folder for inference. Raises DataError naming what is missing, damaged or does not fit."""
    for name in (WEIGHTS, "config.toml", STANDARDISATION, PARAMETERS, TOKENIZER):
        if not (folder / name).exists():
            raise DataError(
                f"the model folder has no {name}",
                where=str(folder),
                fix="give the model/ folder of a finished run",
            )
    _check_config(folder)
    config = from_toml(folder / "config.toml")
    statistics = _read_json(folder / STANDARDISATION)
    made_with = str(statistics.pop("image_pipeline", None))
    if made_with != pipeline:
        raise DataError(
            f"the model was made with another version of the image pipeline ({made_with:.40}, not {pipeline})",
            where=str(folder / STANDARDISATION),
            fix="use the release of FedFundus that made it, or train again",
        )
    model = _model(folder, config)
    _check_trunk(folder, model, config)
    weights = weights_digest(folder)
    calibration, held_out = _known(folder, weights)
    return Artefact(
        model,
        load_tokenizer(model, folder / TOKENIZER),
        config,
        Standardisation.from_dict(statistics),
        calibration,
        held_out,
        weights,
    )


def weights_digest(folder: Path) -> str:
    """SHA-256 of a model folder's weights, as their file is."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _known(folder: Path, weights: str) -> tuple[Calibration, HeldOut | None]:
    """What goes with these weights and no others. Earlier versions did not say which: of theirs the operating points
    are withheld, and the figures with them, since both would be believed.
    """
    calibration, held_out = Calibration(), None
    if (path := folder / CALIBRATION).exists():
        message = _read_json(path)
        calibration = Calibration.from_dict(message)
        if not _of_these_weights(path, message, weights):
            calibration = calibration.without_points(_UNTIED)
    if (path := folder / HELD_OUT).exists():
        message = _read_json(path)
        held_out = HeldOut.from_dict(message)
        if not _of_these_weights(path, message, weights):
            held_out = None
    return calibration, held_out


def _of_these_weights(path: Path, message: dict[str, Any], found: str) -> bool:
    """Whether a file says that it is of the weights beside it; False where it says nothing of them. Raises DataError
    where it is of others.
    """
    told = message.get(OF_WEIGHTS)
    if told is None:
        return False
    if told != found:
        raise DataError(
            f"{path.name} is not of these weights: it is of {told!s:.12}, they are {found:.12}",
            where=f"{path}, {path.parent / WEIGHTS}",
            fix=f"keep the files of one model folder together and copy it again, or remove {path.name}",
        )
    return True


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(
            f"the file cannot be read: {error}", where=str(path), fix="copy the folder again"
        ) from None
    return document if isinstance(document, dict) else {}


def _model(folder: Path, config: Config) -> FusionModel:
    decoders = config.model.decoders.model_copy(update={"enabled": False})
    text = config.model.text.model_copy(
        update={"weights": str(folder / TOKENIZER)}
    )  # its shape, wherever it came from
    changed = {"decoders": decoders, "local": (), "text": text}
    model = build_model(config.model.model_copy(update=changed), pretrained=False)
    tensors = _tensors(folder / WEIGHTS)
    state = model.state_dict()
    missing = [name for name in state if f"model.{name}" not in tensors]
    wrong = [n for n in state if n not in missing and tensors[f"model.{n}"].shape != tuple(state[n].shape)]
    if missing or wrong:
        raise DataError(
            f"the weights are of another architecture: {len(missing)} tensors missing, {len(wrong)} of another shape",
            where=str(folder / WEIGHTS),
            fix="keep config.toml and model.safetensors of one run together",
        )
    model.load_state_dict({name: torch.from_numpy(tensors[f"model.{name}"]) for name in state})
    return model.eval()


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        tensors: dict[str, NDArray[Any]] = load_file(path)
    except (
        SafetensorError,
        OSError,
        TypeError,
        KeyError,
    ) as error:  # the last two: types NumPy does not have
        raise DataError(
            f"the weights cannot be read: {error}", where=str(path), fix="copy the folder again"
        ) from None
    broken = [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]
    if broken:
        raise DataError(
            f"the weights hold NaN or infinity: {len(broken)} tensors, the first {broken[0]}",
            where=str(path),
            fix="copy the folder again, or train again",
        )
    return tensors


def _check_config(folder: Path) -> None:
    """A configuration that was cut is still one: what is missing would be the schema's defaults."""
    path = folder / "config.toml"
    written = _read_json(folder / PARAMETERS).get(CONFIG_LINES, 0)  # absent before it was written down
    if isinstance(written, int) and path.read_bytes().count(b"\n") < written:
        raise DataError(
            f"the configuration is cut off: fewer than its {written} lines are there",
            where=f"{path}, {folder / PARAMETERS}",
            fix="copy the folder again",
        )


def _check_trunk(folder: Path, model: FusionModel, config: Config) -> None:
    """The frozen weights must be those that the federation compared when its sites joined."""
    path = folder / PARAMETERS
    written = _read_json(path).get("trunk_fingerprint")
    if not isinstance(written, str):
        raise DataError(
            "the file does not hold the fingerprint of the frozen weights",
            where=str(path),
            fix="copy the folder again",
        )
    found = trunk_fingerprint(Objective(model, config.losses))
    if written != found:
        raise DataError(
            f"the frozen weights are not those the model was trained on: {found:.12} instead of {written:.12}",
            where=f"{folder / WEIGHTS}, {path}",
            fix="keep the files of one model folder together, or copy the folder again",
        )


def write_json(path: Path, document: Any) -> None:
    """Indented JSON without NaN, whole or not at all."""
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
