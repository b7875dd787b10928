"""One site in one secure round after the other: its keys, its shares, its masked answer, and what it opens at the end.

The secrets of a round are in memory only and go with the next round or the process: a site that was restarted in the
middle is lost for that round like any other, and the others open the sum without it. Each step is answered once, in
order; a second, different one of the same round is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from client.privacy.secure_aggregation.believed import Believed
from client.privacy.secure_aggregation.masking import Mask, masked_report, masked_update
from client.privacy.secure_aggregation.opened import OpenedRounds
from client.privacy.secure_aggregation.refused import RoundRefused
from shared_model.config import Config
from shared_model.config.secure_aggregation import FEWEST_SITES
from shared_model.exchange import Coding, Payload, fingerprint
from shared_model.exchange.coding import EXCHANGE, FULL_SET
from shared_model.exchange.parameters import Arrays
from shared_model.run_plan import PLAN
from shared_model.secure_aggregation.keys import (
    KeyProblem,
    agreed,
    derived,
    new_secret,
    private_key,
    public_bytes,
    seal,
    unseal,
)
from shared_model.secure_aggregation.session import (
    ADVERT,
    FIELD,
    KEYS,
    MASKED,
    REPORT,
    SHARES,
    SURVIVORS,
    UNMASK,
    Advert,
    Cohort,
    Round,
    SessionProblem,
    asked_digest,
    contents_of,
    names_of,
    stage_digest,
    survivors_statement,
    text,
)
from shared_model.secure_aggregation.shares import SHARE, shared
from shared_model.secure_aggregation.stream import to_wire


@dataclass
class _Open:
    """What a site keeps of the round under way. held: site -> its shares of own mask and key, as it sent them here."""

    advert: Advert
    channel: X25519PrivateKey
    mask_secret: bytes
    confirm: Ed25519PrivateKey
    cohort: Cohort | None = None
    digest: bytes = b""
    own_secret: bytes = b""
    held: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    senders: list[str] = field(default_factory=list)
    stage: bytes = b""
    survivors: list[str] = field(default_factory=list)
    given: Payload | None = None

    @property
    def about(self) -> Round:
        return self.advert.round


class SecureRounds:
    """A site in the secure rounds of one run. scope: names federation and run. believed: whose keys count."""

    def __init__(
        self, site: str, config: Config, scope: str, believed: Believed, opened: OpenedRounds
    ) -> None:
        self._site = site
        self._config = config
        self._scope = scope
        self._believed = believed
        self._opened = opened
        self._one: _Open | None = None

    def answer(self, request: Payload, weight: int) -> Payload:
        """The answer to one step of the protocol. weight: of this site's update, as it registered.

        Raises RoundRefused, of which only `what` may leave.
        """
        steps: dict[Any, Callable[[Payload, _Open], Payload]] = {
            SHARES: self._shares,
            SURVIVORS: self._survivors,
            UNMASK: self._unmask,
        }
        step = request.fields.get("step")
        try:
            if step == KEYS:
                return self._keys(request, weight)
            if step not in steps:
                raise SessionProblem("asks for a step that there is not")
            return steps[step](request, self._under_way(request.fields))
        except (SessionProblem, KeyProblem) as error:
            raise RoundRefused(f"the coordinator's message {error}") from None

    def masked(
        self,
        question: str,
        request: Payload,
        learn: Callable[[], Payload],
        base_of: Callable[[], Arrays | None],
    ) -> Payload:
        """What leaves in answer to `train` or `evaluate`: masked tensors and report, and nothing else of them.

        learn: the answer that would leave without any of this. base_of: the tensors that the request brings. Raises
        RoundRefused before anything is learnt where the request is of no round that this site is in.
        """
        try:
            one = self._under_way(request.fields.get(FIELD))
            self._take_shares(one, question, request)
        except (SessionProblem, KeyProblem) as error:
            raise RoundRefused(f"the coordinator's message {error}") from None
        answer = learn()
        if FULL_SET in answer.fields:
            return answer
        base = base_of()
        assert base is not None  # learn() has made sure of it
        coding = Coding.of(request.fields)
        asked = asked_digest(request.fields, coding.base if coding else fingerprint(base))
        one.stage = stage_digest(one.digest, one.senders, asked)
        masks = self._masks(one)
        fields: dict[str, Any] = {"site": self._site, **one.about.to_field()}
        if EXCHANGE in answer.fields:
            fields |= {EXCHANGE: answer.fields[EXCHANGE]}
        if one.about.question == "evaluate":
            report = masked_report(answer.fields, one.advert.weight, masks)
            return Payload({REPORT: to_wire(report)}, fields)
        given = answer.fields | {"learning_rate": request.fields["learning_rate"]}
        assert one.cohort is not None
        vector, report = masked_update(
            self._config, base, answer.arrays, given, one.cohort, self._site, masks
        )
        return Payload({MASKED: to_wire(vector), REPORT: to_wire(report)}, fields)

    def _keys(self, request: Payload, weight: int) -> Payload:
        about = Round.of(request.fields)
        self._opened.require_closed(about)
        if self._one is not None and self._one.about == about:
            raise SessionProblem("asks for keys of a session that has them")
        secret, channel, confirm = new_secret(), X25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        advert = Advert(
            f"{self._scope} {request.fields.get(PLAN, '')}",
            about,
            self._site,
            weight,
            public_bytes(channel),
            public_bytes(private_key(secret)),
            confirm.public_key().public_bytes_raw(),
        )
        self._one = _Open(advert, channel, secret, confirm)
        return Payload(fields={"site": self._site, ADVERT: advert.to_field()})

    def _shares(self, request: Payload, one: _Open) -> Payload:
        if one.cohort is not None:
            raise SessionProblem("asks for shares again")
        given = request.fields.get("cohort")
        if not isinstance(given, list):
            raise SessionProblem("holds no sites")
        adverts = [Advert.of(entry) for entry in given]
        cohort = Cohort.of(adverts, self._config.secure_aggregation.left(len(adverts)))
        self._require_cohort(cohort, one)
        one.cohort, one.digest, one.own_secret = cohort, cohort.digest(), new_secret()
        count, threshold = len(cohort.names), cohort.threshold
        pairs = zip(
            shared(one.own_secret, threshold, count),
            shared(one.mask_secret, threshold, count),
            strict=True,
        )
        sealed = {}
        for (name, advert), (own, mask) in zip(cohort.adverts.items(), pairs, strict=True):
            if name == self._site:
                one.held[name] = (own, mask)
                continue
            key = derived(agreed(one.channel, advert.channel), "share", one.digest)
            sealed[name] = text(seal(key, own + mask, _label(self._site, name)))
        digest = hashlib.sha256(one.own_secret).digest()
        return Payload(fields={"site": self._site, "shares": sealed, "digest": text(digest)})

    def _require_cohort(self, cohort: Cohort, one: _Open) -> None:
        least = max(FEWEST_SITES, cohort.threshold)
        if len(cohort.names) < least:
            raise RoundRefused(f"the round is of {len(cohort.names)} sites, at least {least} are needed")
        mine = cohort.adverts.get(self._site)
        if mine is None or mine.statement() != one.advert.statement():
            raise RoundRefused("the keys that are handed on in its name are not its own")
        for name, advert in cohort.adverts.items():
            if advert.round != one.about or advert.scope != one.advert.scope:
                raise RoundRefused(f"the keys of {name:.64} are of another round, run or plan")
            self._believed.require(advert)

    def _take_shares(self, one: _Open, question: str, request: Payload) -> None:
        """The other sites' shares for this one, which only a site that saw the same cohort can have sealed."""
        if one.cohort is None or one.stage:
            raise SessionProblem("asks for a masked answer out of turn")
        if (question, request.fields.get("round")) != (one.about.question, one.about.number):
            raise SessionProblem("is of another round than its session")
        sealed = contents_of(request.fields[FIELD].get("shares"))
        senders = sorted({*sealed, self._site})
        if self._site in sealed or not set(senders) <= set(one.cohort.names):
            raise SessionProblem("brings shares of sites that are not in the round")
        if len(senders) < max(one.cohort.threshold, FEWEST_SITES - 1):
            raise RoundRefused(
                f"{len(senders)} sites are left of {len(one.cohort.names)}, {one.cohort.threshold} are needed"
            )
        for name, content in sealed.items():
            key = derived(agreed(one.channel, one.cohort.adverts[name].channel), "share", one.digest)
            opened = unseal(key, content, _label(name, self._site))
            if len(opened) != 2 * SHARE:
                raise SessionProblem("brings shares of another size")
            one.held[name] = (opened[:SHARE], opened[SHARE:])
        one.senders = senders

    def _masks(self, one: _Open) -> list[Mask]:
        """Of this site alone, and with every other whose shares it holds: the smaller name adds, the other takes."""
        assert one.cohort is not None
        own, masks = private_key(one.mask_secret), [(derived(one.own_secret, "own mask", one.stage), 1)]
        for name in one.senders:
            if name != self._site:
                seed = derived(agreed(own, one.cohort.adverts[name].mask), "pair mask", one.stage)
                masks.append((seed, 1 if self._site < name else -1))
        return masks

    def _survivors(self, request: Payload, one: _Open) -> Payload:
        survivors = names_of(request.fields.get("survivors"))
        if not one.stage or one.cohort is None:
            raise SessionProblem("asks for survivors before there can be any")
        if one.survivors and survivors != one.survivors:
            raise SessionProblem("names other survivors than before")
        if self._site not in survivors or not set(survivors) <= set(one.senders):
            raise SessionProblem("names survivors that are not those of the round")
        if len(survivors) < one.cohort.threshold:
            raise RoundRefused(
                f"{len(survivors)} sites are left of {len(one.cohort.names)}, {one.cohort.threshold} are needed"
            )
        one.survivors = survivors
        signature = one.confirm.sign(survivors_statement(one.stage, survivors))
        return Payload(fields={"site": self._site, "signature": text(signature)})

    def _unmask(self, request: Payload, one: _Open) -> Payload:
        """Of each survivor the share of its own mask, of each lost site the share of its key: never both of one."""
        if one.given is not None:
            return one.given
        if not one.survivors or one.cohort is None:
            raise SessionProblem("asks for what is opened before there are survivors")
        signatures = contents_of(request.fields.get("signatures"))
        statement = survivors_statement(one.stage, one.survivors)
        for name, signature in signatures.items():
            if name not in one.survivors:
                raise SessionProblem("brings a signature of a site that is not a survivor")
            try:
                Ed25519PublicKey.from_public_bytes(one.cohort.adverts[name].confirm).verify(
                    signature, statement
                )
            except (InvalidSignature, ValueError):
                raise SessionProblem("brings a signature of other survivors or of another request") from None
        if len(signatures) < one.cohort.threshold:
            raise RoundRefused(
                f"{len(signatures)} sites have agreed on who is left, {one.cohort.threshold} are needed"
            )
        self._opened.remember(one.about)
        own = {name: text(one.held[name][0]) for name in one.survivors}
        mask = {name: text(one.held[name][1]) for name in one.senders if name not in one.survivors}
        one.given = Payload(fields={"site": self._site, "own": own, "keys": mask})
        return one.given

    def _under_way(self, given: Any) -> _Open:
        session = given.get("session") if isinstance(given, dict) else None
        if self._one is None or self._one.about.session != session:
            raise SessionProblem("is of no round that this site is in")
        return self._one


def _label(sender: str, receiver: str) -> bytes:
    return f"{sender}\0{receiver}".encode()
