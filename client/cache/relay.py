"""What a process beside this one has to say of the trunk cache, heard here: it has no screen of its own.

Lines and progress go through one pipe, each message small enough to be written whole, so that several processes may
share it without a lock that one of them could take with it when it is ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Thread

from client.cache import listener
from client.cache.listener import Listener

_LONGEST = 900  # characters, of four bytes at most: what a pipe takes in one piece is 4,096 bytes
_PATIENCE = 5.0  # seconds, for what was said last


class Relay:
    """A listener that passes on what it hears through a channel."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel

    def say(self, text: str) -> None:
        """One line."""
        self._send({"text": text[:_LONGEST]})

    def update(self, name: str, done: int, total: int, *, unit: str = "") -> None:
        """`done` of `total` units of `name`."""
        self._send({"name": name, "done": done, "total": total, "unit": unit})

    def _send(self, message: dict[str, str | int]) -> None:
        with suppress(OSError):  # nobody listens any more
            self._channel.send_bytes(json.dumps(message, ensure_ascii=False).encode())


def speak_through(channel: Connection | None) -> None:
    """In the other process: tell everything there from now on."""
    if channel is not None:
        listener.tell(Relay(channel))


@contextmanager
def relayed(hears: Listener | None) -> Iterator[Connection | None]:
    """A channel to give to other processes' `speak_through`, which end before the block does.

    None where nobody listens here.
    """
    if hears is None:
        yield None
        return
    reader, writer = Pipe(duplex=False)
    passing = Thread(target=_pass_on, args=(reader, hears), daemon=True)
    passing.start()
    try:
        yield writer
    finally:
        writer.close()
        passing.join(_PATIENCE)


def _pass_on(reader: Connection, hears: Listener) -> None:
    """Until the last process that could write has closed its end."""
    with reader, suppress(EOFError):
        while True:
            message = json.loads(reader.recv_bytes())
            if "text" in message:
                hears.say(message["text"])
            else:
                hears.update(message["name"], message["done"], message["total"], unit=message["unit"])
