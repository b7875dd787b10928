"""What a site keeps of the secure round under way, in memory alone, and what it makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from client.privacy.secure_aggregation.masking import Mask
from shared_model.exchange import Payload
from shared_model.secure_aggregation.keys import (
    agreed,
    derived,
    new_secret,
    private_key,
    public_bytes,
    seal,
    unseal,
)
from shared_model.secure_aggregation.session import (
    FIGURES,
    Advert,
    Cohort,
    Round,
    SessionProblem,
    survivors_statement,
    text,
)
from shared_model.secure_aggregation.shares import SHARE, shared


@dataclass
class UnderWay:
    """One site in one round. mask_secret, own_secret: of its key for pairwise masks, and of its own mask.

    held: site -> its shares of both, own secret first, as it sent them here. senders: sites whose shares were handed
    on. stage: what masks are bound to, once they are made. survivors: whom this site has signed for. figures_secret,
    figures_held: of the mask over the site's validation figures, and the shares of others', among those that validate.
    """

    advert: Advert
    channel: X25519PrivateKey
    mask_secret: bytes
    confirm: Ed25519PrivateKey
    cohort: Cohort | None = None
    digest: bytes = b""
    own_secret: bytes = b""
    held: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    figures_secret: bytes = b""
    figures_held: dict[str, bytes] = field(default_factory=dict)
    senders: list[str] = field(default_factory=list)
    stage: bytes = b""
    survivors: list[str] = field(default_factory=list)
    masked: Payload | None = None
    answers: dict[str, tuple[bytes, Payload]] = field(
        default_factory=dict
    )  # step -> what was asked and answered

    @classmethod
    def begun(
        cls, scope: str, about: Round, site: str, weight: int, tells: Iterable[str], trains: Iterable[str]
    ) -> UnderWay:
        """With keys of its own, from the operating system's randomness."""
        secret, channel, confirm = new_secret(), X25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        mask = public_bytes(private_key(secret))
        signing = confirm.public_key().public_bytes_raw()
        keys = public_bytes(channel), mask, signing
        advert = Advert(scope, about, site, weight, *keys, tells=tuple(tells), trains=tuple(trains))
        return cls(advert, channel, secret, confirm)

    @property
    def about(self) -> Round:
        """Which round it is."""
        return self.advert.round

    @property
    def site(self) -> str:
        """Whose it is."""
        return self.advert.site

    @property
    def validates(self) -> bool:
        """Whether this site's validation figures are asked for."""
        return self.cohort is not None and self.site in self.cohort.validating

    def sealed_shares(self, cohort: Cohort, validating: int) -> tuple[dict[str, str], str, str]:
        """Take the cohort as this round's: for each other site, shares of the secrets that it alone can read, and the
        digests of the secrets of the own mask and of the figures', which the coordinator holds shares against.

        validating: how many shares of the last give it, which only sites that validate get.
        """
        self.cohort, self.digest, self.own_secret = cohort, cohort.digest(), new_secret()
        count, threshold = len(cohort.names), cohort.threshold
        own = shared(self.own_secret, threshold, count)
        mask = shared(self.mask_secret, threshold, count)
        figures = self._figures_shares(cohort, validating)
        sealed = {}
        for name, pair in zip(cohort.names, zip(own, mask, strict=True), strict=True):
            if name == self.site:
                self.held[name] = pair
                self.figures_held |= {name: figures[name]} if figures else {}
            else:
                content = b"".join((*pair, figures.get(name, b"")))
                sealed[name] = text(seal(self._channel(name), content, _label(self.site, name)))
        own_digest, figures_digest = (
            text(hashlib.sha256(secret).digest()) for secret in (self.own_secret, self.figures_secret)
        )
        return sealed, own_digest, figures_digest

    def _figures_shares(self, cohort: Cohort, threshold: int) -> dict[str, bytes]:
        """Of a new secret for the mask over this site's validation figures, one for each site that validates."""
        if not self.validates:
            return {}
        self.figures_secret = new_secret()
        shares = shared(self.figures_secret, threshold, len(cohort.validating))
        return dict(zip(cohort.validating, shares, strict=True))

    def take(self, sealed: Mapping[str, bytes]) -> None:
        """Other sites' shares, which only a site that saw the same cohort can have sealed.

        Raises KeyProblem or SessionProblem, taking none, where one of them is not that.
        """
        assert self.cohort is not None
        found, figures = {}, {}
        for name, given in sealed.items():
            opened = unseal(self._channel(name), given, _label(name, self.site))
            three = self.validates and name in self.cohort.validating
            if len(opened) != (3 if three else 2) * SHARE:
                raise SessionProblem("brings shares of another size")
            found[name] = (opened[:SHARE], opened[SHARE : 2 * SHARE])
            if three:
                figures[name] = opened[2 * SHARE :]
        self.held |= found
        self.figures_held |= figures
        self.senders = sorted({*sealed, self.site})

    def masks(self) -> list[Mask]:
        """Of this site alone, and with every other whose shares it holds: the smaller name adds, the other takes."""
        assert self.cohort is not None
        own, masks = private_key(self.mask_secret), [(derived(self.own_secret, "own mask", self.stage), 1)]
        for name in self.senders:
            if name != self.site:
                seed = derived(agreed(own, self.cohort.adverts[name].mask), "pair mask", self.stage)
                masks.append((seed, 1 if self.site < name else -1))
        return masks

    def figures_masks(self) -> list[Mask]:
        """Over this site's validation figures alone, none where they are not asked for."""
        return [(derived(self.figures_secret, "figures mask", self.stage), 1)] if self.validates else []

    def signature(self) -> str:
        """Under the survivors."""
        return text(self.confirm.sign(survivors_statement(self.stage, self.survivors)))

    def require_agreed(self, signatures: Mapping[str, bytes]) -> None:
        """Raise SessionProblem unless all of these are survivors' signatures under the same survivors and request."""
        assert self.cohort is not None
        statement = survivors_statement(self.stage, self.survivors)
        for name, signature in signatures.items():
            if name not in self.survivors:
                raise SessionProblem("brings a signature of a site that is not a survivor")
            try:
                key = Ed25519PublicKey.from_public_bytes(self.cohort.adverts[name].confirm)
                key.verify(signature, statement)
            except (InvalidSignature, ValueError):
                raise SessionProblem("brings a signature of other survivors or of another request") from None

    def given(self, validated: Iterable[str]) -> dict[str, dict[str, str]]:
        """Of each survivor the share of its own mask, of each lost site the share of its key: never both of one. Of
        each site in `validated` the share of the mask over its figures too.
        """
        lost = [name for name in self.senders if name not in self.survivors]
        return {
            "own": {name: text(self.held[name][0]) for name in self.survivors},
            "keys": {name: text(self.held[name][1]) for name in lost},
            FIGURES: {name: text(self.figures_held[name]) for name in validated},
        }

    def _channel(self, name: str) -> bytes:
        assert self.cohort is not None
        return derived(agreed(self.channel, self.cohort.adverts[name].channel), "share", self.digest)


def _label(sender: str, receiver: str) -> bytes:
    return f"{sender}\0{receiver}".encode()
