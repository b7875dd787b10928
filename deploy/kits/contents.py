"""What stands in a member's kit, worked out from the authority's register alone: the same register, the same bytes."""

from __future__ import annotations

import ipaddress
import json
from functools import cache
from typing import Any

import jinja2
import tomli_w
from cryptography import x509

from deploy.authority.register import Register
from deploy.federation import COORDINATOR
from deploy.kits import layout
from deploy.pki.certificates import fingerprint, subject
from deploy.pki.keys import key_sha256, node_header, p384, public_openssh, read_node_key, spoken
from deploy.pki.reading import pem
from shared_model.offline import SETTINGS as OFFLINE

WARN_DAYS = 28
SITE_SERVICES = (
    "fedfundus-worker.service",
    "fedfundus-gateway.service",
    "fedfundus-proxy.service",
    "compose.yaml",
)
COORDINATOR_SERVICES = ("fedfundus-superlink.service", "fedfundus-front.service")


def kit_files(register: Register, authority: x509.Certificate, name: str) -> dict[str, bytes]:
    """Every file of the kit but its keys and its manifest: path in the kit -> content."""
    certificate = register.certificate(name)
    coordinator = name == COORDINATOR
    revoked = register.revoked if coordinator else register.revoked_for_sites
    files = {
        layout.AUTHORITY: pem(authority),
        layout.REVOKED: revoked.encode("ascii"),
        layout.SETTINGS: tomli_w.dumps(_settings(register, authority, name)).encode("utf-8"),
    }
    if certificate is not None:
        files[layout.own_certificate(name)] = pem(certificate)
    values = _values(register, authority, name)
    if coordinator:
        files |= _roster_files(register, authority)
        files["front/nginx.conf"] = _rendered("front.conf", values)
        files |= {f"services/{service}": _rendered(service, values) for service in COORDINATOR_SERVICES}
    else:
        if line := register.node_line(name):
            files[layout.NODE_PUBLIC] = line.encode("ascii")
        files["proxy/nginx.conf"] = _rendered("proxy.conf", values)
        files |= {f"services/{service}": _rendered(service, values) for service in SITE_SERVICES}
    files["README.md"] = _rendered("coordinator-readme.md" if coordinator else "site-readme.md", values)
    return files


def _settings(register: Register, authority: x509.Certificate, name: str) -> dict[str, Any]:
    """kit.toml: what the services read."""
    federation = register.federation
    settings: dict[str, Any] = {
        "format": 1,
        "federation": federation.name,
        "authority": fingerprint(authority),
        "name": name,
        "role": COORDINATOR if name == COORDINATOR else "site",
        "coordinator": {
            "hosts": list(federation.coordinator.hosts),
            "port": federation.coordinator.port,
            "server_name": federation.server_name,
        },
    }
    if name == COORDINATOR:
        settings["superlink"] = {"address": f"127.0.0.1:{federation.coordinator.superlink_port}"}
    else:
        settings["proxy"] = {"address": f"127.0.0.1:{federation.site(name).proxy_port}"}
    key, certificate = (f"{layout.KEYS}/{file}" for file in layout.LOOPBACK)
    settings["loopback"] = {"certificate": certificate, "key": key}
    return settings


def _values(register: Register, authority: x509.Certificate, name: str) -> dict[str, Any]:
    federation = register.federation
    first = federation.coordinator.hosts[0]
    coordinator = name == COORDINATOR
    return {
        "federation": federation,
        "name": name,
        "spoken": spoken(fingerprint(authority)),
        "warn": WARN_DAYS,
        "certificate": register.certificate(name) is not None,
        "keys": federation.coordinator.keys if coordinator else federation.site(name).keys,
        "proxy_port": None if coordinator else federation.site(name).proxy_port,
        "upstream": f"[{first}]" if _is_ipv6(first) else first,
        "offline": OFFLINE,
        "ipv6": any(map(_is_ipv6, federation.coordinator.hosts)),
    }


def _roster_files(register: Register, authority: x509.Certificate) -> dict[str, bytes]:
    """Who may connect: for people and programs, for Flower, and for nginx."""
    files, sites, pairs = {}, [], []
    for site in register.federation.sites:
        certificate, line = register.certificate(site.name), register.node_line(site.name)
        if certificate is None or line is None:
            continue
        node_key = read_node_key(line, "register.json")
        name = subject(register.federation.name, site.name).rfc4514_string()
        sites.append(
            {
                "name": site.name,
                "certificate_name": name,
                # Of the key, not of the certificate: a renewed certificate then changes nothing here.
                "certificate_key_sha256": key_sha256(p384(certificate.public_key(), "register.json")),
                "node_key": public_openssh(node_key, site.name).strip(),
                "node_key_sha256": key_sha256(node_key),
            }
        )
        files[f"nodes/{site.name}.pub"] = line.encode("ascii")
        # A regular expression, because nginx's map compares plain strings without regard to case.
        pairs.append(f'"~^{name} {_escaped(node_header(node_key))}$" 1;\n')
    roster = {
        "format": 1,
        "federation": register.federation.name,
        "authority": fingerprint(authority),
        "sites": sites,
    }
    files["roster.json"] = (json.dumps(roster, indent=1) + "\n").encode("utf-8")
    files["front/sites.map"] = "".join(pairs).encode("ascii")
    return files


def _escaped(base64_text: str) -> str:
    return base64_text.replace("+", "[+]")


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("deploy"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # no HTML; every value was held to safe characters in deploy.federation
    )


def _rendered(template: str, values: dict[str, Any]) -> bytes:
    return _templates().get_template(template).render(values).encode("utf-8")
