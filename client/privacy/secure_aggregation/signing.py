"""The signature under a site's keys of a round, with the key of its certificate.

At a deployed site the gateway puts it on, since it holds that key and the worker, which makes the round's keys, may not
read it. The worker looks at what comes back: keys that are not its own end the round there.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from shared_model.exchange.message_id import SIGNED
from shared_model.exchange.payload import Payload
from shared_model.secure_aggregation.session import ADVERT, Advert


def with_signature(answer: Payload, site: str, key: ec.EllipticCurvePrivateKey, certificate: str) -> Payload:
    """The answer with its keys signed, if it holds any of this site's. certificate: of `key`, PEM."""
    if ADVERT not in answer.fields:
        return answer
    advert = Advert.of(answer.fields[ADVERT])
    if advert.site != site:
        raise ValueError("keys of another site")
    signature = key.sign(advert.statement(), ec.ECDSA(hashes.SHA384()))
    return Payload(
        answer.arrays, answer.fields | {SIGNED: advert.signed(signature, certificate).signed_field()}
    )
