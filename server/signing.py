"""The run plan as the coordinator makes it and signs it, with the key of the certificate that its kit holds."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.exchange import shared_tensors, trunk_fingerprint
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.package import package_sha256
from shared_model.run_plan import PLAIN, QUESTIONS, SIGNING_CONTEXT, RunPlan, SignedPlan
from shared_model.version import PACKAGE_VERSION


def make_plan(config: Config, *, run: str, federation: str) -> RunPlan:
    """The plan of a run. Builds the model once, for the tensors that travel and the fingerprint of the rest."""
    objective = Objective(build_model(config.model, seed=config.seed), config.losses)
    return RunPlan(
        federation=federation,
        run=run,
        version=PACKAGE_VERSION,
        package=package_sha256(),
        config=config,
        tensors={name: array.shape for name, array in shared_tensors(objective).items()},
        trunk=trunk_fingerprint(objective),
        questions=QUESTIONS if config.secure_aggregation.enabled else PLAIN,
    )


def sign_plan(plan: RunPlan, *, key: bytes, certificate: bytes) -> SignedPlan:
    """The plan with its signature. key, certificate: the coordinator's, PEM. Raises DataError for another key."""
    text = plan.text()
    return SignedPlan(
        text, signature(SIGNING_CONTEXT + text.encode("ascii"), key), certificate.decode("ascii")
    )


def signature(content: bytes, key: bytes) -> str:
    """ECDSA with SHA-384 over `content`, base64. key: the coordinator's, PEM. Raises DataError for another key."""
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise DataError(
            "the coordinator's key cannot be read", fix="give keys/coordinator.key of the coordinator's kit"
        )
    return base64.b64encode(private.sign(content, ec.ECDSA(hashes.SHA384()))).decode("ascii")
