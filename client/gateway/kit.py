"""What the gateway reads of the site's kit: where the proxy is, who is believed there, and the node's key."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from deploy.kits.layout import KEYS, LOOPBACK, NODE_KEY, SETTINGS, own_certificate, own_key
from deploy.pki.keys import PrivateKey, read_private, require_private
from shared_model.errors import ConfigError, DataError

_FIX = "run fedfundus-provision verify on the kit"


@dataclass(frozen=True)
class GatewayKit:
    """superlink: host:port of the outbound proxy. loopback: certificate and key of this machine. certified: the site's
    own, from the federation's authority.
    """

    site: str
    superlink: str
    loopback: tuple[Path, Path]
    node_key: Path
    certified: tuple[Path, Path]

    def key(self) -> PrivateKey:
        """The node's key. Raises DataError where it cannot be used or others may read it."""
        return _key(self.node_key)

    def signing(self) -> tuple[PrivateKey, str]:
        """What signs for the site: the key of its certificate, and that certificate, PEM. Raises as `key`."""
        certificate, key = self.certified
        _require(certificate)
        return _key(key), certificate.read_text(encoding="ascii")


def read_gateway_kit(kit: Path, superlink: str = "") -> GatewayKit:
    """The kit of a site. superlink: in place of its proxy. Raises DataError or ConfigError."""
    try:
        settings = tomllib.loads((kit / SETTINGS).read_text(encoding="utf-8"))
        role, site = settings["role"], str(settings["name"])
    except (OSError, ValueError, KeyError):
        raise DataError("this is no kit, or not a whole one", where=str(kit / SETTINGS), fix=_FIX) from None
    if role != "site":
        raise ConfigError("this is the coordinator's kit", where=str(kit), fix="give this site's own kit")
    key, certificate = (kit / KEYS / name for name in LOOPBACK)
    for path in (key, certificate):
        _require(path)
    return GatewayKit(
        site,
        superlink or str(settings["proxy"]["address"]),
        (certificate, key),
        kit / KEYS / NODE_KEY,
        (kit / own_certificate(site), kit / KEYS / own_key(site)),
    )


def _key(path: Path) -> PrivateKey:
    _require(path)
    require_private(path)
    return read_private(path.read_bytes(), str(path))


def _require(path: Path) -> None:
    if not path.is_file():
        raise DataError("a file of the kit is missing", where=str(path), fix=_FIX)
