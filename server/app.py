"""The Flower ServerApp: hands the round loop a Grid to speak through."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from flwr.app import ArrayRecord, Context, Message
from flwr.serverapp import Grid, ServerApp

from server.federation import run_federation
from server.history import RoundRecord
from server.sites import Question, SiteFailure
from server.store import RunFolder
from shared_model.config.load import from_toml
from shared_model.errors import RunError
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import (
    MESSAGE_TYPES,
    PROBLEM,
    from_records,
    to_array_record,
    to_records,
)

RUN_VARIABLE = "FEDFUNDUS_RUN"
POLL_SECONDS = 0.05


class GridSites:
    """server.sites.Sites over a Flower Grid; replies are handed on as they arrive.

    `Grid.send_and_receive` would hold all replies back, and sleeps three seconds between looks.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def addresses(self) -> list[str]:
        """Node ids, in numeric order."""
        return [str(node) for node in sorted(self.grid.get_node_ids())]

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        """Push one message an address, then pull until every one is answered.

        Payloads of the same arrays become messages of the same bytes, so that many sites take no more memory.
        """
        waiting: dict[str, str] = {}  # message id -> address
        shared: dict[int, ArrayRecord] = {}
        for address, payload in payloads.items():
            if id(payload.arrays) not in shared:
                shared[id(payload.arrays)] = to_array_record(payload.arrays)
            arrays = shared[id(payload.arrays)]
            message = Message(
                to_records(payload, arrays), dst_node_id=int(address), message_type=MESSAGE_TYPES[question]
            )
            (identity,) = self.grid.push_messages([message])
            waiting[identity] = address
        while waiting:
            arrived = False
            for reply in self.grid.pull_messages(list(waiting)):
                address = waiting.pop(reply.metadata.reply_to_message_id)
                arrived = True
                yield address, _answer(reply)
            if not arrived:
                time.sleep(POLL_SECONDS)


def _answer(reply: Message) -> Payload | SiteFailure:
    if reply.has_error():
        return SiteFailure(f"Flower error {reply.error.code}")
    try:
        payload = from_records(reply.content)
    except (KeyError, ValueError) as error:
        return SiteFailure(f"an answer that is not ours ({type(error).__name__})")
    problem = payload.fields.get(PROBLEM)
    return payload if problem is None else SiteFailure(str(problem))


def make_app(on_round: Callable[[RoundRecord], None] = lambda record: None) -> ServerApp:
    """The ServerApp; `on_round` hears every finished round (a progress bar)."""
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        folder = Path(str(context.run_config.get("run-folder") or os.environ.get(RUN_VARIABLE, "")))
        if not (folder / "config.toml").is_file():
            raise RunError(
                "the run has no configuration",
                where=f"run-folder, {RUN_VARIABLE}",
                fix="start the run by fedfundus-simulate",
            )
        config = from_toml(folder / "config.toml")
        run_federation(GridSites(grid), config, RunFolder(folder), on_round=on_round)

    return server_app


app = make_app()
