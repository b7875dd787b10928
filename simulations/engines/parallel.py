"""The inline engine with sites beside each other: each process has a model of its own and a share of the sites.

A site always trains in the same process, which keeps its data, and every process has one message before it and one in
hand, so that memory does not grow with the number of sites. Updates are added in the order in which they arrive; the
server's sum is exact, so the result is the one that a single process gives. What it costs is memory: every process
holds a whole model with its gradients and moments.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from flwr.app import Message
from flwr.clientapp import ClientApp
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage

from client.cache import listener
from client.cache.relay import relayed, speak_through
from server.app import make_app
from server.history import RoundRecord
from shared_model.errors import RunError
from simulations.engines.grid import FIRST_SITE_NODE, InlineGrid, run_in, site_context
from simulations.processes import ctrl_c_for_the_parent_alone, stop

IN_FLIGHT = 2  # messages a process: one in hand, one before it
DEVICES = "CUDA_VISIBLE_DEVICES"


class ParallelGrid(InlineGrid):
    """An InlineGrid whose sites are handled by `processes`, site i by process i modulo their number."""

    def __init__(self, sites: int, processes: list[ProcessPoolExecutor]) -> None:
        super().__init__(ClientApp(), sites)
        self._sites = sites
        self._processes = processes
        self._flying: dict[str, Future[bytes]] = {}
        self._load: Counter[int] = Counter()
        self._by: dict[str, int] = {}

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The first reply that is there, after waiting for one; hands out what the processes have room for.

        Raises RunError where a process was ended, whether it had a message in hand or not.
        """
        try:
            return self._pulled(message_ids)
        except BrokenProcessPool:
            raise RunError(
                "a process that trained sites was ended from outside, most likely for lack of memory",
                where="simulations",
                fix="use fewer runtime.jobs or a smaller training.batch_size",
            ) from None

    def _pulled(self, message_ids: Iterable[str]) -> list[Message]:
        asked = [i for i in message_ids if i in self._waiting or i in self._flying]
        for identity in asked:
            self._hand_out(identity)
        flying = {self._flying[i]: i for i in asked if i in self._flying}
        if not flying:
            return []
        done = wait(flying, return_when=FIRST_COMPLETED).done
        identity = next(i for future, i in flying.items() if future in done)
        self._load[self._by.pop(identity)] -= 1
        return [message_from_proto(ProtoMessage.FromString(self._flying.pop(identity).result()))]

    def _hand_out(self, identity: str) -> None:
        if identity not in self._waiting:
            return
        node = self._waiting[identity].metadata.dst_node_id
        number = (node - FIRST_SITE_NODE) % len(self._processes)
        if self._load[number] >= IN_FLIGHT:
            return
        content = message_to_proto(self._waiting.pop(identity)).SerializeToString()
        self._flying[identity] = self._processes[number].submit(_handle, content, node, self._sites)
        self._by[identity] = number
        self._load[number] += 1


def run_parallel(folder: Path, sites: int, on_round: Callable[[RoundRecord], None], jobs: int) -> None:
    """One federated run over `jobs` processes. Raises RunError where one of them is ended from outside."""
    with relayed(listener.current()) as channel, _processes(min(jobs, sites), channel) as processes:
        grid = ParallelGrid(sites, processes)
        run_in(grid, make_app(on_round), {"run-folder": str(folder)}, held=False)


@contextmanager
def _processes(count: int, channel: Connection | None) -> Iterator[list[ProcessPoolExecutor]]:
    """So many processes, each with a CUDA device of its own in turn where there are several.

    All are ended at once where the block does not end well: what one of them still trains is of no use.
    """
    context = multiprocessing.get_context("spawn")
    devices = _devices()
    others = set(multiprocessing.active_children())
    with ExitStack() as stack:
        processes = []
        for number in range(count):
            device = devices[number % len(devices)] if len(devices) > 1 else ""
            pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(device, channel))
            processes.append(stack.enter_context(pool))
        try:
            with ctrl_c_for_the_parent_alone():
                for process in processes:
                    process.submit(_ready)
            yield processes
        except BaseException:
            # Before the executors are shut down: afterwards they no longer tell which their processes were.
            stop(set(multiprocessing.active_children()) - others)
            raise


def _devices() -> list[str]:
    """CUDA devices by the names that CUDA_VISIBLE_DEVICES takes."""
    named = os.environ.get(DEVICES)
    if named is not None:
        return [name for name in named.split(",") if name]
    import torch  # late: the processes read this module before they know their device

    return [str(number) for number in range(torch.cuda.device_count())]


def _begin(device: str, channel: Connection | None) -> None:
    """In the process, before anything asks CUDA what there is."""
    if device:
        os.environ[DEVICES] = device
    speak_through(channel)


def _ready() -> None:
    """Starts the process."""


def _handle(content: bytes, node: int, sites: int) -> bytes:
    """In the process: the ClientApp's reply to a message."""
    from client.app import app

    message = message_from_proto(ProtoMessage.FromString(content))
    reply = app(message, site_context(node - FIRST_SITE_NODE, sites))
    return bytes(message_to_proto(reply).SerializeToString())
