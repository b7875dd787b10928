"""A ServerApp that ends when what answers it has failed: Flower's would look for its sites for ever.

It runs in a thread of Flower's, which nothing can interrupt, so it is stopped where it speaks to the sites: every
round does so at least once a second while it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Event

from flwr.app import Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run

from shared_model.errors import RunError

TO_STOP = 15.0  # seconds that the ServerApp has to end when it is told to


class StoppableGrid(Grid):
    """A Grid that raises RunError once `stopped` is set."""

    def __init__(self, grid: Grid, stopped: Event) -> None:
        self._grid = grid
        self._stopped = stopped

    @property
    def _open(self) -> Grid:
        if self._stopped.is_set():
            raise RunError("the simulation was stopped", where="simulations")
        return self._grid

    def set_run(self, run: Run) -> None:
        """As the Grid behind it."""
        self._open.set_run(run)

    @property
    def run(self) -> Run:
        """As the Grid behind it."""
        return self._open.run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """As the Grid behind it."""
        return self._open.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        """As the Grid behind it."""
        return self._open.get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """As the Grid behind it."""
        return self._open.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """As the Grid behind it."""
        return self._open.pull_messages(message_ids)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """As the Grid behind it, which is not stopped while it waits."""
        return self._open.send_and_receive(messages, timeout=timeout)


class StoppableServer:
    """`server_app` with a run configuration, its failure kept.

    on_end: called in its thread when it has ended, while the backend still runs.
    """

    def __init__(
        self, server_app: ServerApp, run_config: Mapping[str, str], on_end: Callable[[], None]
    ) -> None:
        self.failure: Exception | None = None
        self._server_app = server_app
        self._run_config = run_config
        self._on_end = on_end
        self._begun, self._stopped, self._ended = Event(), Event(), Event()

    def app(self) -> ServerApp:
        """For Flower, which sees it end well in any case; what it raised is in `failure`."""
        outer = ServerApp()

        @outer.main()
        def main(grid: Grid, context: Context) -> None:
            self._begun.set()
            context.run_config.update(self._run_config)
            try:
                self._server_app(StoppableGrid(grid, self._stopped), context)
            except Exception as error:
                if not self._stopped.is_set():
                    self.failure = error
            finally:
                try:
                    self._on_end()
                finally:
                    self._ended.set()

        return outer

    def stop(self) -> None:
        """End it, and wait until it has: its folder is removed next."""
        self._stopped.set()
        if self._begun.is_set():
            self._ended.wait(TO_STOP)
