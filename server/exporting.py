"""`export`: the model folder of a finished run, with a statement of what it is made of.

The statement says which sites and how much of their data went in, round by round quorum, how good the model was on
validation records, what privacy is promised, and the audit log's last digest. It is signed with the coordinator's key
where there is a kit, over the SHA-256 of every file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server.errors import Code, CoordinatorError
from server.evaluation.asking import calibration_of, judged
from server.kit import Kit
from server.schedule import best_of
from server.store import audit
from server.store.database import now
from server.store.report import run_document
from server.store.runs import RunRow, RunStore
from shared_model.artefact import save_artefact, weights_digest, write_json
from shared_model.exchange import write_tensors
from shared_model.losses import Objective
from shared_model.model import build_model, load_tokenizer
from shared_model.privacy_statement import privacy_statement
from shared_model.version import PIPELINE_VERSION

STATEMENT, MANIFEST, SIGNATURE = "statement.json", "manifest.json", "manifest.sig"
_LIMITS = (
    "for research; it has not been examined as a medical device",
    "its figures are of validation records of the sites named, and of no other hospital",
    "a model cannot forget: who withdraws later is still in it",
)


def export_model(store: RunStore, run: str, out: Path, *, weights: str, kit: Kit | None) -> str:
    """Write the model folder `out`, whole or not at all; the SHA-256 of its weights. weights: last or best.

    Raises CoordinatorError for a run that is not finished, that was a canary, or whose best model is untrained.
    """
    row = store.row(run)
    _require_exportable(row, out)
    if weights == "best":
        _require_trained(store, run)
    config, folder = store.config(run), store.open(run)
    objective = Objective(build_model(config.model, seed=config.seed), config.losses)
    write_tensors(objective, folder.load_weights(weights))
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    tokenizer = load_tokenizer(objective.model)
    standardisation = folder.load_json("standardisation.json")
    found = judged(folder) if weights == "last" else None  # the sites were asked about these weights alone
    sites = [site["site"] for site in run_document(store, row)["sites"]]
    save_artefact(
        partial,
        objective,
        tokenizer,
        config,
        standardisation,
        PIPELINE_VERSION,
        calibration_of(found),
        sites=sites,
    )
    digest = weights_digest(partial)
    statement = _statement(store, run, weights, digest) | {
        "test": found and {"pooled": found["pooled"], "left_out": found["left_out"]},
        "privacy": privacy_statement(config, sites),
    }
    write_json(partial / STATEMENT, statement)
    _sign(partial, kit)
    partial.replace(out)
    with store.database.writing() as connection:
        connection.execute("INSERT INTO exports VALUES (?, ?, ?, ?)", (run, now(), weights, digest))
        audit.append(connection, run, "exported", {"weights": weights, "sha256": digest})
    return digest


def _require_exportable(row: RunRow, out: Path) -> None:
    if row.state != "finished" or row.canary:
        raise CoordinatorError(
            Code.NOTHING_TO_EXPORT,
            "a canary keeps no model"
            if row.canary
            else f"the run is {row.state} after {row.complete} rounds",
            where=row.run,
            fix="launch a run" if row.canary else "resume it; only a finished run has a model to hand out",
        )
    if out.exists():
        raise CoordinatorError(
            Code.NOTHING_TO_EXPORT, "the output folder exists", where=str(out), fix="name another with --out"
        )


def _best(history: Sequence[Mapping[str, Any]]) -> int:
    return best_of([line["validation"]["loss"] for line in history])


def _require_trained(store: RunStore, run: str) -> None:
    """Raise where the best model is the one that the run began with."""
    history = store.open(run).history()
    if _best(history) == 0 and len(history) > 1:
        raise CoordinatorError(
            Code.NOTHING_TO_EXPORT,
            "no round has better validation figures than the start: the best model is untrained",
            where=run,
            fix="export --weights last, after looking at the run's history",
        )


def _statement(store: RunStore, run: str, weights: str, digest: str) -> dict[str, Any]:
    document, history = run_document(store, store.row(run)), store.open(run).history()
    kept = ("run", "federation", "created", "rounds", "complete", "config_sha256", "plan_sha256", "version")
    of = history[_best(history) if weights == "best" else -1]
    return {
        **{name: document[name] for name in kept},
        "weights": weights,
        "weights_round": of["round"],
        "weights_sha256": digest,
        "sites": document["sites"],
        "not_used": document["not_used"],
        "validation": of["validation"],
        "statistics": store.open(run).load_json("statistics.json"),
        "limits": list(_LIMITS),
        "audit_head": document["audit_head"],
    }


def _sign(folder: Path, kit: Kit | None) -> None:
    """manifest.json: every file's SHA-256; manifest.sig: the coordinator's signature over it, and its certificate."""
    write_json(folder / MANIFEST, {"files": _digests(folder)})
    if kit is None:
        return
    key = serialization.load_pem_private_key(kit.key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CoordinatorError(
            Code.NOT_STARTED, "the kit's key cannot sign", fix="fedfundus-provision verify"
        )
    signature = key.sign((folder / MANIFEST).read_bytes(), ec.ECDSA(hashes.SHA384()))
    signed = {"signature": base64.b64encode(signature).decode(), "certificate": kit.certificate.decode()}
    write_json(folder / SIGNATURE, signed)


def verify_export(folder: Path, certificate: bytes) -> None:
    """Raise CoordinatorError unless every file is as it was signed by the holder of `certificate` (PEM)."""
    try:
        manifest = (folder / MANIFEST).read_bytes()
        signature = base64.b64decode(
            json.loads((folder / SIGNATURE).read_text(encoding="utf-8"))["signature"]
        )
        signed: dict[str, str] = json.loads(manifest)["files"]
        key = x509.load_pem_x509_certificate(certificate).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("another kind of key")
        key.verify(signature, manifest, ec.ECDSA(hashes.SHA384()))
    except (OSError, ValueError, KeyError, TypeError, InvalidSignature):
        raise _unsound(folder, "not signed by this coordinator") from None
    found = {name: digest for name, digest in _digests(folder).items() if name not in (MANIFEST, SIGNATURE)}
    if wrong := sorted(name for name in found.keys() | signed.keys() if found.get(name) != signed.get(name)):
        raise _unsound(folder, f"not as it was signed: {', '.join(wrong[:3])}")


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def _unsound(folder: Path, why: str) -> CoordinatorError:
    return CoordinatorError(
        Code.UNSOUND_EXPORT,
        f"the export is {why}",
        where=str(folder),
        fix="export it again, or copy it again",
    )
