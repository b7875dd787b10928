"""What each site is sent of a model, and what it then holds.

Whoever is known to hold the base of the round before may be sent a change of it; whoever joined late, missed a
round or says that it no longer holds it gets the whole set, in the same round.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from server.conversation import Conversation
from server.errors import Code, CoordinatorError
from server.sites import Question, SiteFailure, Sites, Waiting
from shared_model.config.exchange import Codec, ExchangeConfig
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
        self.sites = sites
        self.base: Arrays = {}  # what a site holds that has the last model offered
        self.fingerprint = ""
        self._config = config
        self._upon: str | None = None  # the set that self._change changes
        self._whole: Wire = {}
        self._change: Wire = {}
        self._holds: dict[str, str] = {}  # address -> fingerprint of the base it last answered from
        self._taken: dict[str, int] = {}  # address -> last round whose update was used

    @property
    def plain(self) -> bool:
        """Whether the sites are sent nothing but tensors."""
        return self._config.plain

    def offer(self, model: Arrays) -> Arrays:
        """Take `model` as what the sites are sent from now on; returns the base that it becomes there.

        Raises CoordinatorError for a model that the codec cannot carry.
        """
        try:
            self._pack(model)
        except CodecError as error:
            raise CoordinatorError(
                Code.CANNOT_SEND,
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
        self,
        question: Question,
        addresses: Collection[str],
        fields: Mapping[str, Any],
        linger: Callable[[], bool] = lambda: False,
        own: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Asking:
        """Send the offered model with `fields` to every address. linger: as of server.conversation.Conversation. own:
        address to further fields that only it is sent.
        """
        asking = Asking(self, Conversation(self.sites, question, linger), fields, own or {})
        asking.more(addresses)
        return asking

    def taken(self, address: str, number: int) -> None:
        """The update of this site in round `number` was used; it is told so with its next request."""
        self._taken[address] = number

    def request(self, address: str, fields: Mapping[str, Any], *, whole: bool = False) -> Payload:
        """What this site is sent: the change of the set that it holds, or the whole set."""
        if self._config.plain:
            return Payload(self._whole, dict(fields))
        taken = self._taken.get(address, 0)
        if whole or self._upon is None or self._holds.get(address) != self._upon:
            codec: Codec = "fp32" if self._config.downlink == "fp32" else "bf16"
            arrays, coding = self._whole, Coding(codec, self.fingerprint, None, taken)
        else:
            arrays, coding = self._change, Coding("int8", self.fingerprint, self._upon, taken)
        return Payload(arrays, {**fields, EXCHANGE: coding.to_field()})

    def heard(self, address: str, answer: Payload | SiteFailure) -> None:
        """An answer tells what the site now holds."""
        self._holds[address] = _base_of(answer)

    def forget(self, address: str) -> None:
        """The site gave no answer: what it holds is not known."""
        self._holds.pop(address, None)

    def state(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Who holds what, by site name, for the checkpoint. names: address to name."""
        return {
            "fingerprint": self.fingerprint,
            "holds": {name: self._holds[a] for a, name in names.items() if self._holds.get(a)},
            "taken": {name: self._taken[a] for a, name in names.items() if a in self._taken},
        }

    def restore(self, document: Mapping[str, Any], base: Arrays, names: Mapping[str, str]) -> None:
        """What `state` gave, over the addresses that the sites have now. base: what they then held, if it was kept."""
        self.base, self.fingerprint = base, document["fingerprint"]
        self._holds = {a: document["holds"][n] for a, n in names.items() if n in document["holds"]}
        self._taken = {a: int(document["taken"][n]) for a, n in names.items() if n in document["taken"]}


class Asking:
    """One question under way: replies as they arrive, one a site unless it is asked anew."""

    def __init__(
        self,
        downlink: Downlink,
        conversation: Conversation,
        fields: Mapping[str, Any],
        own: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._downlink = downlink
        self._conversation = conversation
        self._fields = fields
        self._own = own

    @property
    def open(self) -> Collection[str]:
        """Addresses that have not answered."""
        return self._conversation.open

    def more(self, addresses: Collection[str]) -> None:
        """Ask these as well, or anew."""
        self._conversation.ask({address: self._request(address) for address in addresses})

    def close(self) -> dict[str, tuple[int, int]]:
        """Ask no longer; bytes up and down, by address, that are in no Reply (server.conversation)."""
        for address in self.open:
            self._downlink.forget(address)
        return self._conversation.close()

    def __iter__(self) -> Iterator[Reply | Waiting]:
        whole: set[str] = set()  # who has been sent the whole set already
        for arrival in self._conversation:
            if isinstance(arrival, Waiting):
                yield arrival
                continue
            address, answer = arrival
            self._downlink.heard(address, answer)
            if _wants_whole_set(answer):
                if address not in whole and not self._downlink.plain:
                    whole.add(address)
                    self._conversation.ask({address: self._request(address, whole=True)})
                    continue
                answer = SiteFailure("asks for the whole set, which it was sent")
            yield Reply(address, answer, *self._conversation.taken(address))

    def _request(self, address: str, *, whole: bool = False) -> Payload:
        fields = {**self._fields, **self._own.get(address, {})}
        return self._downlink.request(address, fields, whole=whole)


def _wants_whole_set(answer: Payload | SiteFailure) -> bool:
    return isinstance(answer, Payload) and answer.fields.get(FULL_SET) is True


def _base_of(answer: Payload | SiteFailure) -> str:
    """The base that a site answered from; "" where it does not say so."""
    try:
        coding = Coding.of(answer.fields) if isinstance(answer, Payload) else None
    except CodecError:
        return ""
    return coding.base if coding else ""
