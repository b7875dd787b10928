"""Any ServerApp and ClientApp in one process: a Grid that calls the client directly.

Messages are handled one at a time when the server pulls, so that one model is resident, one update is in memory,
and the server adds each before the next site trains. Nothing of ours but the array conversion is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext

from flwr.app import Context, Message, RecordDict, UserConfig
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from shared_model.held_array import arrays_held

SERVER_NODE = 1
FIRST_SITE_NODE = 1000


class InlineGrid(Grid):
    """A Grid over `sites` simulated sites; site i is node FIRST_SITE_NODE + i."""

    one_a_look = True  # server.grid_sites: to look is to wait for one reply

    def __init__(self, app: ClientApp, sites: int) -> None:
        self._app = app
        self._contexts = {FIRST_SITE_NODE + i: site_context(i, sites) for i in range(sites)}
        self._waiting: dict[str, Message] = {}
        self._sent = 0
        self._run = Run.create_empty(run_id=1)
        # Message() asks Flower for the identity of the task that it is created in.
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, SERVER_NODE, 1

    def set_run(self, run: Run) -> None:
        """The run is fixed here; kept for the interface."""
        self._run = run

    @property
    def run(self) -> Run:
        """Run information."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """A message to one site."""
        return Message(
            content, dst_node_id=dst_node_id, message_type=message_type, group_id=group_id, ttl=ttl
        )

    def get_node_ids(self) -> Iterable[int]:
        """All sites."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Keep the messages until they are pulled."""
        identities = []
        for message in messages:
            self._sent += 1
            identity = str(self._sent)
            message.metadata.__dict__["_message_id"] = identity  # as Flower's own in-memory grid does
            self._waiting[identity] = message
            identities.append(identity)
        return identities

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Handle the first of these messages now and give its reply."""
        for identity in message_ids:
            message = self._waiting.pop(identity)
            return [self._app(message, self._contexts[message.metadata.dst_node_id])]
        return []

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Push, then handle every message."""
        return [reply for i in self.push_messages(messages) for reply in self.pull_messages([i])]


def run_apps(
    server_app: ServerApp,
    client_app: ClientApp,
    sites: int,
    run_config: Mapping[str, str | int] | None = None,
) -> None:
    """Run both apps in this process, over `sites` sites, until the ServerApp returns."""
    run_in(InlineGrid(client_app, sites), server_app, run_config or {})


def run_in(
    grid: Grid, server_app: ServerApp, run_config: Mapping[str, str | int], *, held: bool = True
) -> None:
    """Run the ServerApp over a Grid of this process. held: its messages stay here, so that arrays need no bytes."""
    context = Context(
        run_id=1, node_id=SERVER_NODE, node_config={}, state=RecordDict(), run_config=dict(run_config)
    )
    with arrays_held() if held else nullcontext():
        server_app(grid, context)


def site_context(index: int, sites: int) -> Context:
    """What Flower would tell the ClientApp of the node that it runs at."""
    node: UserConfig = {"partition-id": index, "num-partitions": sites}
    return Context(
        run_id=1, node_id=FIRST_SITE_NODE + index, node_config=node, state=RecordDict(), run_config={}
    )
