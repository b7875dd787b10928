"""A line as some hospitals have it: a TCP relay with a delay, a rate that all connections share, and cuts."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

CHUNK = 1 << 14


class SlowLine:
    """From `port` (given out by the system) to `target`. delay: seconds each way. rate: bytes a second each way."""

    def __init__(self, target: int, *, delay: float = 0.05, rate: float = 10e6 / 8) -> None:
        self.target, self.delay, self.rate = target, delay, rate
        self.upward = 0  # bytes from the sites so far
        self.port = 0
        self._cut_until = 0.0
        self._cut_after: tuple[int, float] | None = None
        self._free = [0.0, 0.0]  # when each direction has nothing left to carry
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, daemon=True).start()
        assert self._ready.wait(10)

    def cut_in_a_transfer(self, seconds: float, after: int = 100_000) -> None:
        """Nothing passes for so long, from the moment that `after` more bytes have come from the sites at once."""
        self._cut_after = (self.upward + after, seconds)

    @property
    def was_cut(self) -> bool:
        return self._cut_after is None and self._cut_until > 0

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        with contextlib.suppress(asyncio.CancelledError):  # by close
            await asyncio.gather(self._carry(reader, back, 0), self._carry(there, writer, 1))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: int) -> None:
        """What is read leaves in its order, when the line has carried it; a bounded queue keeps the sender waiting."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=16)
        sending = asyncio.ensure_future(self._send(queue, writer))
        with contextlib.suppress(OSError):
            while content := await reader.read(CHUNK):
                if way == 0:
                    self._count(len(content))
                begins = max(time.monotonic(), self._free[way], self._cut_until)
                self._free[way] = begins + len(content) / self.rate
                await queue.put((self._free[way] + self.delay, content))
        await queue.put((0.0, b""))
        await sending

    async def _send(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            when, content = await queue.get()
            if not content:
                break
            while (left := max(when, self._cut_until) - time.monotonic()) > 0:
                await asyncio.sleep(left)
            with contextlib.suppress(OSError):
                writer.write(content)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()

    def _count(self, size: int) -> None:
        self.upward += size
        if self._cut_after is not None and self.upward >= self._cut_after[0]:
            self._cut_until = time.monotonic() + self._cut_after[1]
            self._cut_after = None
