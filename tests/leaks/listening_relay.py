"""Relays that write down what passes, in plaintext: one on a Unix socket, one that speaks TLS on both sides."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

CHUNK = 1 << 16
DATA, FRAME_HEADER = 0, 9  # of HTTP/2


class Relay:
    """Passes connections of `listener` on to what `connect` opens. sent: what clients said; answered: the replies."""

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self.sent: list[bytearray] = []
        self.answered: list[bytearray] = []
        self._listener, self._connect = listener, connect
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except ssl.SSLError:
                continue
            except OSError:
                return
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            self.sent.append(bytearray())
            self.answered.append(bytearray())
            for source, target, heard in (
                (client, server, self.sent[-1]),
                (server, client, self.answered[-1]),
            ):
                threading.Thread(target=_pass_on, args=(source, target, heard), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, heard: bytearray) -> None:
    try:
        while content := source.recv(CHUNK):
            heard += content
            target.sendall(content)
    except OSError:
        pass
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def unix_relay(at: Path, to: Path) -> Relay:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(at))
    listener.listen(8)

    def connect() -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(to))
        return server

    return Relay(listener, connect)


def tls_relay(port: int, to: int, certificate: Path, key: Path) -> Relay:
    """In front of a server of this machine, with its own certificate, which is believed of it too."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, key)
    theirs = ssl.create_default_context(cafile=certificate)
    listener = ours.wrap_socket(socket.create_server(("127.0.0.1", port)), server_side=True)

    def connect() -> socket.socket:
        return theirs.wrap_socket(socket.create_connection(("127.0.0.1", to)), server_hostname="localhost")

    return Relay(listener, connect)


def without_frames(heard: bytes) -> bytes:
    """What HTTP/2 frames held, stream by stream: a secret that two frames share stands in one piece here."""
    streams: dict[int, bytearray] = defaultdict(bytearray)
    place = 0
    if heard[:3] == b"PRI":
        place = heard.index(b"SM\r\n\r\n") + 6
    while place + FRAME_HEADER <= len(heard):
        size = int.from_bytes(heard[place : place + 3], "big")
        kind, stream = heard[place + 3], int.from_bytes(heard[place + 5 : place + FRAME_HEADER], "big")
        if kind == DATA:
            streams[stream] += heard[place + FRAME_HEADER : place + FRAME_HEADER + size]
        place += FRAME_HEADER + size
    return b"\n".join(bytes(one) for one in streams.values())
