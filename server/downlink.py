"""What each site is sent of a model, and what it then holds.

Whoever is known to hold the base of the round before may be sent a change of it; whoever joined late, missed a
round or says that it no longer holds it gets the whole set, in the same round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from server.sites import Question, SiteFailure, Sites
from shared_model.config.exchange import Codec, ExchangeConfig
from shared_model.errors import RunError
from shared_model.exchange import CodecError, Coding, Payload, fingerprint
from shared_model.exchange.base import change, whole_set
from shared_model.exchange.codec import Wire
from shared_model.exchange.coding import EXCHANGE, FULL_SET
from shared_model.exchange.parameters import Arrays


class Reply(NamedTuple):
    """What came back from one site, and the bytes of all messages that it took, without the transport's framing."""

    address: str
    answer: Payload | SiteFailure
    bytes_up: int
    bytes_down: int


class Downlink:
    """The coordinator's messages to the sites in one run."""

    def __init__(self, sites: Sites, config: ExchangeConfig) -> None:
        self.base: Arrays = {}  # what a site holds that has the last model offered
        self.fingerprint = ""
        self._sites = sites
        self._config = config
        self._upon: str | None = None  # the set that self._change changes
        self._whole: Wire = {}
        self._change: Wire = {}
        self._holds: dict[str, str] = {}  # address -> fingerprint of the base it last answered from
        self._taken: dict[str, int] = {}  # address -> last round whose update was used

    def offer(self, model: Arrays) -> Arrays:
        """Take `model` as what the sites are sent from now on; returns the base that it becomes there.

        Raises RunError for a model that the codec cannot carry.
        """
        try:
            self._pack(model)
        except CodecError as error:
            raise RunError(
                f"the model cannot be sent: {error}",
                where=f"exchange.downlink = {self._config.downlink!r}",
                fix="lower training.learning_rate, or that of the server optimiser",
            ) from None
        self.fingerprint = "" if self._config.plain else fingerprint(self.base)
        return self.base

    def _pack(self, model: Arrays) -> None:
        codec = self._config.downlink
        if codec != "int8" or not self.base:
            self._upon, self._change = None, {}
            self._whole, self.base = whole_set(model, "bf16" if codec == "int8" else codec)
        else:
            self._upon = self.fingerprint
            self._change, self.base = change(model, self.base)
            self._whole, _ = whole_set(self.base, "bf16")

    def ask(
        self, question: Question, addresses: Collection[str], fields: Mapping[str, Any]
    ) -> Iterator[Reply]:
        """Send the offered model with `fields` to every address; answers as they arrive, one a site."""
        sent = {address: self._request(address, fields) for address in addresses}
        again: dict[str, int] = {}  # address -> what its first answer took up
        for address, answer in self._sites.ask(question, sent):
            if EXCHANGE in sent[address].fields and _wants_whole_set(answer):
                again[address] = _bytes(answer)
            else:
                yield self._reply(address, answer, _bytes(answer), sent[address].nbytes)
        whole = {address: self._request(address, fields, whole=True) for address in again}
        for address, answer in self._sites.ask(question, whole) if again else ():
            up, down = again[address] + _bytes(answer), sent[address].nbytes + whole[address].nbytes
            yield self._reply(address, answer, up, down)

    def taken(self, address: str, number: int) -> None:
        """The update of this site in round `number` was used; it is told so with its next request."""
        self._taken[address] = number

    def _request(self, address: str, fields: Mapping[str, Any], *, whole: bool = False) -> Payload:
        if self._config.plain:
            return Payload(self._whole, dict(fields))
        taken = self._taken.get(address, 0)
        if whole or self._upon is None or self._holds.get(address) != self._upon:
            codec: Codec = "fp32" if self._config.downlink == "fp32" else "bf16"
            arrays, coding = self._whole, Coding(codec, self.fingerprint, None, taken)
        else:
            arrays, coding = self._change, Coding("int8", self.fingerprint, self._upon, taken)
        return Payload(arrays, {**fields, EXCHANGE: coding.to_field()})

    def _reply(self, address: str, answer: Payload | SiteFailure, up: int, down: int) -> Reply:
        self._holds[address] = _base_of(answer)
        if _wants_whole_set(answer):
            answer = SiteFailure("asks for the whole set, which it was sent")
        return Reply(address, answer, up, down)


def _wants_whole_set(answer: Payload | SiteFailure) -> bool:
    return isinstance(answer, Payload) and answer.fields.get(FULL_SET) is True


def _base_of(answer: Payload | SiteFailure) -> str:
    """The base that a site answered from; "" where it does not say so."""
    try:
        coding = Coding.of(answer.fields) if isinstance(answer, Payload) else None
    except CodecError:
        return ""
    return coding.base if coding else ""


def _bytes(answer: Payload | SiteFailure) -> int:
    return answer.nbytes if isinstance(answer, Payload) else 0
