"""federation.yaml: who takes part, where the coordinator is found, and how long certificates live.

Every name here ends up in a certificate, a folder's name and a proxy's configuration, so that names are held to what
is safe in all three, and checked before anything is made.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Hashable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, model_validator

from deploy.errors import Code, DeployError
from shared_model.config.section import Section
from shared_model.config.validation import validated
from shared_model.errors import ConfigError

COORDINATOR = "coordinator"
LONGEST = 398
"""Days; what browsers accept of a public certificate, taken here as the upper bound."""
_RESERVED = frozenset({COORDINATOR, "authority", "federation"})
_LARGEST = 256 * 1024
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_FIX = "correct it in federation.yaml; `fedfundus-provision example` prints one with every key explained"


def _host(text: str) -> str:
    """A host name (RFC 1123) or an IP address, as it will stand in a certificate."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        labels = text.split(".")
        if len(text) > 253 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
            raise ValueError(
                "a host is a name like fundus.example.org (lower case, without https:// or a port) or an IP address"
            ) from None
        return text
    if address.is_unspecified or address.is_multicast or "%" in text:
        raise ValueError("this address is nobody's: give the one that the sites connect to")
    return str(address)


def _name(text: str) -> str:
    """A name that can be a folder, a part of a host name and a certificate's subject."""
    if not _LABEL.fullmatch(text):
        raise ValueError("a name is made of a to z, 0 to 9 and inner hyphens, 63 characters at most")
    return text


Name = Annotated[str, AfterValidator(_name)]
Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Days = Annotated[int, Field(ge=1, le=LONGEST, strict=True)]
Keys = Literal["kit", "machine"]


class Coordinator(Section):
    """Where the sites find the coordinator."""

    hosts: Annotated[tuple[Host, ...], Field(min_length=1, max_length=20)]
    port: Port = 8443
    superlink_port: Port = 8000
    keys: Keys = "kit"

    @model_validator(mode="after")
    def _distinct(self) -> Coordinator:
        if len(set(self.hosts)) < len(self.hosts):
            raise ValueError("coordinator.hosts names a host twice")
        if self.port == self.superlink_port:
            raise ValueError("coordinator.port and coordinator.superlink_port must differ")
        return self


class Site(Section):
    """One hospital."""

    name: Name
    keys: Keys = "kit"
    proxy_port: Port = 9443

    @model_validator(mode="after")
    def _not_reserved(self) -> Site:
        if self.name in _RESERVED:
            raise ValueError(f"{self.name} is no name for a site: it has a meaning here")
        return self


class Lifetimes(Section):
    """Days that certificates live."""

    site: Days = 90
    coordinator: Days = 90
    authority: Annotated[int, Field(ge=1, le=3653, strict=True)] = 1826

    @model_validator(mode="after")
    def _authority_outlives(self) -> Lifetimes:
        if self.authority < max(self.site, self.coordinator):
            raise ValueError("lifetimes.authority must not be shorter than those it signs")
        return self


class Federation(Section):
    """Everything that federation.yaml says."""

    name: Name
    coordinator: Coordinator
    sites: Annotated[tuple[Site, ...], Field(min_length=1, max_length=500)]
    lifetimes: Lifetimes = Lifetimes()

    @property
    def server_name(self) -> str:
        """The name that a site's proxy checks: always in the coordinator's certificate, also where it has no DNS name.

        nginx does not compare IP addresses with a certificate, and .internal is reserved for private use.
        """
        return f"{COORDINATOR}.{self.name}.fedfundus.internal"

    def site(self, name: str) -> Site:
        """The site of this name. Raises KeyError."""
        return {site.name: site for site in self.sites}[name]


class _Loader(yaml.SafeLoader):
    """Plain data only: a key given twice or an alias is an error, not a surprise."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases (*) are not used here", _mark(self))
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", node.value[place][0].start_mark
                )
        return super().construct_mapping(node, deep)


def _mark(loader: yaml.SafeLoader) -> yaml.Mark:
    mark: yaml.Mark = loader.peek_event().start_mark  # type: ignore[no-untyped-call]
    return mark


def load_federation(path: Path) -> Federation:
    """The federation that a YAML file describes. Raises ConfigError naming the key or the line at fault."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(
            f"the federation file cannot be read ({error.strerror})",
            where=str(path),
            fix="check the path; `fedfundus-provision example > federation.yaml` writes one to start from",
        ) from None
    if len(content) > _LARGEST:
        raise ConfigError("the federation file is too large to be one", where=str(path), fix=_FIX)
    return parse_federation(content, str(path))


def parse_federation(content: bytes, where: str) -> Federation:
    """load_federation for what was read."""
    try:
        tree = yaml.load(content.decode("utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "it is not text that YAML can hold"
        raise ConfigError(f"the federation file is not YAML: {why}", where=where + line, fix=_FIX) from None
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise ConfigError("the federation file holds no keys and values", where=where, fix=_FIX)
    federation = validated(Federation, tree, fix=_FIX, keys=_FIX)
    names = [site.name for site in federation.sites]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        what = f"a site's name is used twice: {', '.join(twice)}"
        raise DeployError(Code.NAME_TWICE, what, where=f"{where}, sites", fix=_FIX)
    return federation


def example() -> str:
    """A federation.yaml with every key explained."""
    return files("deploy").joinpath("templates/federation.yaml").read_text(encoding="utf-8")
