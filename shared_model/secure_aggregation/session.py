"""Who takes part in a round and under which keys: what is signed, and the digests that everything else is bound to.

A coordinator that tells two sites different things (other keys, other sites, another base, another learning rate) gives
them different digests, and then neither their masks cancel nor can they read each other's shares.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared_model.exchange.fixed_point import LARGEST_WEIGHT
from shared_model.exchange.message_id import SIGNED
from shared_model.grades import TASKS
from shared_model.model.parts import PARTS

# The steps of the question `secure_aggregation`, in its field `step`.
KEYS, SHARES, SURVIVORS, UNMASK = "keys", "shares", "survivors", "unmask"
FIELD = "secure"  # of `train` and `evaluate`: the session, and the shares for the site that is asked
# Of the step SHARES: sites whose validation figures are summed, and whether all of them must be left.
VALIDATING, SETTLED = "validating", "settled"
VALIDATED = "validated"  # of an answer to KEYS: whose figures stood in the sums this site has helped to open
FIGURES = "figures"  # what belongs to the mask over validation figures: a digest in SHARES, shares in UNMASK
ADVERT = "advert"  # of an answer to KEYS; its signature is put on on the way out, in the field SIGNED
MASKED, REPORT = "masked", "report"  # the arrays of a masked answer
# Fields of a masked answer that are no figures of the round: for the participation ledger.
TOLD = ("data", "epsilon", "steps")
MOST_SITES = 100  # in one round: every site shares its secrets with every other
LONGEST = 1 << 14  # characters of a certificate or a scope
_SIGNED = b"fedfundus secure aggregation 1 advert\n"
_CONFIRMED = b"fedfundus secure aggregation 1 survivors\n"
_SESSION = re.compile(r"[0-9a-f]{32}")


class SessionProblem(ValueError):
    """A message of the protocol that does not fit. Says nothing of its content, and may leave a site."""


@dataclass(frozen=True)
class Round:
    """One use of the protocol. question: train or evaluate; number: of the round; session: the coordinator's name for
    this attempt at it, 32 hexadecimal digits.
    """

    question: str
    number: int
    session: str

    def to_field(self) -> dict[str, Any]:
        """As it travels."""
        return {"question": self.question, "round": self.number, "session": self.session}

    @classmethod
    def of(cls, given: Any) -> Round:
        """What a message says. Raises SessionProblem."""
        if not isinstance(given, Mapping):
            raise SessionProblem("does not say which round it is of")
        question, number, session = (given.get(key) for key in ("question", "round", "session"))
        if question not in ("train", "evaluate") or not _whole(number, 0, 1 << 31):
            raise SessionProblem("is of no round")
        if not isinstance(session, str) or not _SESSION.fullmatch(session):
            raise SessionProblem("names no session")
        return cls(str(question), int(str(number)), session)


@dataclass(frozen=True)
class Advert:
    """A site's keys for one round. scope: federation, run and plan as the site knows them. weight: of its numbers.

    tells: the tasks, in the order of TASKS, of which it has validation figures to tell; none where it tells nothing.
    trains: the parts of the model, in the order of PARTS, that it has records to train.
    channel, mask: X25519 public keys, of the sealed shares and of the pairwise masks. confirm: an Ed25519 public key.
    signature: with the key of the site's certificate (PEM), over `statement`; both empty until they are put on.
    """

    scope: str
    round: Round
    site: str
    weight: int
    channel: bytes
    mask: bytes
    confirm: bytes
    signature: bytes = b""
    certificate: str = ""
    tells: tuple[str, ...] = ()
    trains: tuple[str, ...] = ()

    def statement(self) -> bytes:
        """What is signed."""
        said = self.to_field()
        del said["signature"], said["certificate"]
        return _SIGNED + _canonical(said)

    def signed(self, signature: bytes, certificate: str) -> Advert:
        """The same with its signature."""
        return replace(self, signature=signature, certificate=certificate)

    def signed_field(self) -> dict[str, str]:
        """The signature alone, as it travels."""
        return {"signature": text(self.signature), "certificate": self.certificate}

    def to_field(self) -> dict[str, Any]:
        """As it travels."""
        return {
            "scope": self.scope,
            "round": self.round.to_field(),
            "site": self.site,
            "weight": self.weight,
            "tells": list(self.tells),
            "trains": list(self.trains),
            "channel": text(self.channel),
            "mask": text(self.mask),
            "confirm": text(self.confirm),
            **self.signed_field(),
        }

    @classmethod
    def of_answer(cls, fields: Mapping[str, Any]) -> Advert:
        """Of a site's answer to KEYS, with what its gateway put on. Raises SessionProblem."""
        given, signed = fields.get(ADVERT), fields.get(SIGNED, {})
        if not isinstance(given, Mapping) or not isinstance(signed, Mapping):
            raise SessionProblem("holds no keys")
        return cls.of(
            {**given, **{key: signed[key] for key in ("signature", "certificate") if key in signed}}
        )

    @classmethod
    def of(cls, given: Any) -> Advert:
        """What a message holds. Raises SessionProblem."""
        if not isinstance(given, Mapping):
            raise SessionProblem("holds no keys")
        scope, site, weight, certificate = (given.get(k) for k in ("scope", "site", "weight", "certificate"))
        words = (scope, site, certificate)
        if not all(isinstance(one, str) and len(one) <= LONGEST for one in words) or not site:
            raise SessionProblem("holds keys that say nothing of their site")
        if not _whole(weight, 1, LARGEST_WEIGHT):
            raise SessionProblem("holds a weight that is none")
        channel, mask, confirm = (content(given.get(key), 32) for key in ("channel", "mask", "confirm"))
        signature = content(given.get("signature"))
        tells, trains = given.get("tells"), given.get("trains")
        if not isinstance(tells, list) or tells != [task for task in TASKS if task in tells]:
            raise SessionProblem("holds keys that do not say what their site tells")
        if not isinstance(trains, list) or trains != [part for part in PARTS if part in trains]:
            raise SessionProblem("holds keys that do not say what their site trains")
        return cls(
            str(scope),
            Round.of(given.get("round")),
            str(site),
            int(str(weight)),
            channel,
            mask,
            confirm,
            signature,
            str(certificate),
            tuple(tells),
            tuple(trains),
        )


@dataclass(frozen=True)
class Cohort:
    """The sites of a round, by name in order. digest: of all that they advertised, and of everything below.

    validating: those whose validation figures are in the sum, by name in order. settled: whether these are the sites
    of earlier sums, so that their figures are opened only where all of them are left.
    """

    adverts: Mapping[str, Advert]
    threshold: int
    validating: tuple[str, ...] = ()
    settled: bool = False

    @classmethod
    def of(
        cls,
        adverts: Iterable[Advert],
        threshold: int,
        validating: Iterable[str] = (),
        settled: bool = False,
    ) -> Cohort:
        """Raises SessionProblem for a site or a key that is there twice, for too many sites, and for `validating` that
        are not among them.
        """
        ordered = sorted(adverts, key=lambda advert: advert.site)
        keys = [key for advert in ordered for key in (advert.channel, advert.mask, advert.confirm)]
        if len({advert.site for advert in ordered}) < len(ordered) or len(set(keys)) < len(keys):
            raise SessionProblem("names a site or a key twice")
        if len(ordered) > MOST_SITES:
            raise SessionProblem(f"is of more than {MOST_SITES} sites")
        found = {advert.site: advert for advert in ordered}
        told = tuple(sorted(validating))
        if not set(told) <= found.keys():
            raise SessionProblem("asks for validation figures of sites that are not in the round")
        return cls(found, threshold, told, settled)

    @property
    def names(self) -> list[str]:
        """In order."""
        return list(self.adverts)

    @property
    def weight(self) -> int:
        """Of all sites together."""
        return sum(advert.weight for advert in self.adverts.values())

    def require_told(self) -> None:
        """Raise SessionProblem unless all of `validating` say that they have figures to tell, of the same tasks.

        A site that adds nothing to a sum leaves it to be the others' alone.
        """
        tells = {self.adverts[name].tells for name in self.validating}
        if len(tells) > 1 or () in tells:
            raise SessionProblem(
                "asks for validation figures of sites without any, or with those of other tasks"
            )

    def trained_by_several(self, names: Iterable[str] | None = None) -> set[str]:
        """Parts that two or more of these sites (None: all in the round) train. Of any other the sum would be the
        update of one.
        """
        sites = self.adverts if names is None else names
        counts = Counter(part for name in sites for part in self.adverts[name].trains)
        return {part for part, count in counts.items() if count > 1}

    def digest(self) -> bytes:
        """SHA-256."""
        decides = {"threshold": self.threshold, VALIDATING: list(self.validating), SETTLED: self.settled}
        found = hashlib.sha256(_canonical(decides))
        for advert in self.adverts.values():
            found.update(hashlib.sha256(advert.statement()).digest())
        return found.digest()


def stage_digest(cohort: bytes, senders: Iterable[str], asked: bytes) -> bytes:
    """What masks are bound to. cohort: its digest; senders: sites whose shares were handed on; asked: asked_digest."""
    return hashlib.sha256(cohort + asked + _canonical(sorted(senders))).digest()


def asked_digest(fields: Mapping[str, Any], base: str) -> bytes:
    """Of what an update depends on at every site. fields: of the question; base: fingerprint of the tensors sent."""
    decides = {key: fields.get(key) for key in ("round", "learning_rate", "standardisation")}
    return hashlib.sha256(_canonical([decides, base])).digest()


def survivors_statement(stage: bytes, survivors: Iterable[str]) -> bytes:
    """What each site signs before it gives any share out, so that all give theirs for the same sum."""
    return _CONFIRMED + stage + _canonical(sorted(survivors))


def names_of(given: Any) -> list[str]:
    """A list of names, each there once. Raises SessionProblem."""
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MOST_SITES:
        raise SessionProblem("holds no list of sites")
    if not all(isinstance(name, str) for name in given) or len(set(given)) < len(given):
        raise SessionProblem("holds a list with something else than sites, each once")
    return sorted(given)


def contents_of(given: Any) -> dict[str, bytes]:
    """A site's name to bytes. Raises SessionProblem."""
    if not isinstance(given, Mapping) or len(given) > MOST_SITES:
        raise SessionProblem("holds nothing by site")
    return {str(name): content(value) for name, value in given.items()}


def text(given: bytes) -> str:
    """Bytes as they travel in JSON."""
    return base64.b64encode(given).decode("ascii")


def content(given: Any, size: int | None = None) -> bytes:
    """What `text` gave. Raises SessionProblem for anything else, or another size."""
    try:
        found = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise SessionProblem("holds bytes that cannot be read") from None
    if len(found) > LONGEST or (size is not None and len(found) != size):
        raise SessionProblem("holds bytes of another size")
    return found


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
