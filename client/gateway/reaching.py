"""Whether the coordinator's front can be reached with this site's certificate, and what exactly was tried.

The proxy only says that it could not connect. This goes the same way on its own: name, address, TLS both ways, and one
question for a path that the front refuses to everybody, whose answer also tells the coordinator's time.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import tomllib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from deploy.errors import Code, DeployError
from deploy.kits.layout import AUTHORITY, KEYS, SETTINGS, own_certificate, own_key

SECONDS = 5.0  # for each step
_CLOCK = 300.0  # seconds that two clocks may differ
_BROKEN = (ssl.SSLError, ConnectionError, TimeoutError, http.client.HTTPException, OSError)


def reach(kit: Path) -> str:
    """Say hello to the coordinator of a site's kit; its address. Raises DeployError."""
    settings = tomllib.loads((kit / SETTINGS).read_text(encoding="utf-8"))
    name, coordinator = str(settings["name"]), settings["coordinator"]
    host, port = str(coordinator["hosts"][0]), int(coordinator["port"])
    connection = _connected(host, port)
    try:
        secured = _context(kit, name).wrap_socket(connection, server_hostname=str(coordinator["server_name"]))
    except ssl.SSLCertVerificationError as error:
        raise _another(host, port, error) from None
    except _BROKEN as error:
        raise _unreachable(host, port, [f"TLS with {host}:{port}: {_words(error)}"]) from None
    with secured:
        answer = _answer(secured, host, port)
    _require_clock(answer, f"{host}:{port}")
    return f"{host}:{port}"


def _connected(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _unreachable(host, port, [f"the name {host}: {_words(error)}"]) from None
    tried = []
    for *_, address in found:
        try:
            return socket.create_connection((str(address[0]), port), timeout=SECONDS)
        except OSError as error:
            tried.append(f"TCP to {address[0]} port {port}: {_words(error)}")
    raise _unreachable(host, port, tried)


def _context(kit: Path, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=kit / AUTHORITY)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(kit / own_certificate(name), kit / KEYS / own_key(name))
    return context


def _answer(secured: ssl.SSLSocket, host: str, port: int) -> http.client.HTTPResponse:
    """The front's answer. One that does not like our certificate says so here, not in the handshake."""
    request = f"GET /hello HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    try:
        secured.sendall(request.encode("ascii"))
        answer = http.client.HTTPResponse(secured)
        answer.begin()
    except _BROKEN as error:
        raise _refused(host, port, _words(error)) from None
    if answer.status == http.client.BAD_REQUEST:
        raise _refused(host, port, "it does not take the certificate")
    return answer


def _require_clock(answer: http.client.HTTPResponse, where: str) -> None:
    try:
        theirs = parsedate_to_datetime(answer.getheader("Date") or "")
    except ValueError:
        return
    ours = datetime.now(UTC)
    if abs((theirs - ours).total_seconds()) > _CLOCK:
        raise DeployError(
            Code.CLOCK,
            f"this machine's clock says {ours:%Y-%m-%d %H:%M} UTC, the coordinator's {theirs:%Y-%m-%d %H:%M} UTC",
            where=where,
            fix="set the one that is wrong (timedatectl); signatures and certificates are refused otherwise",
        )


def _unreachable(host: str, port: int, tried: list[str]) -> DeployError:
    return DeployError(
        Code.UNREACHABLE,
        f"the coordinator cannot be reached; tried {'; '.join(tried)}",
        where=f"{host}:{port}",
        fix="see that its front runs and that your firewall lets this port out; the gateway goes on trying",
    )


def _refused(host: str, port: int, why: str) -> DeployError:
    return DeployError(
        Code.REFUSED,
        f"the coordinator's front refuses this site's certificate: {why}",
        where=f"{host}:{port}",
        fix="fedfundus-provision verify KIT; if the kit is good, ask whether the site was revoked",
    )


def _another(host: str, port: int, error: ssl.SSLCertVerificationError) -> DeployError:
    return DeployError(
        Code.ANOTHER_ANSWERS,
        f"who answers there is not this federation's coordinator: {error.verify_message}",
        where=f"{host}:{port}",
        fix="ask the coordinator by telephone for its address, and whether its kit was changed",
    )


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {SECONDS:g} seconds"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__).lower()
