"""What crosses a site's boundary, as the bytes that would be sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Context, Message, RecordDict
from flwr.common.serde import message_to_proto
from flwr.supercore.task_identity import TaskIdentity
from leak_sites import OPTIONS

import client.app
from client.site.config import SiteConfig, load_site
from client.site.prepare import Prepared, prepare
from client.site.state import SiteState
from client.worker import Worker
from shared_model.config import Config
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import MESSAGE_TYPES, to_records

SIZE = 64


def configured(folder: Path, adapter: str, changes: str = "") -> SiteConfig:
    """The site of a data folder, its site.toml beside it; changes: further lines of the file."""
    import tomli_w

    tree: dict[str, Any] = {"site": {"name": "north"}, "data": {"folder": str(folder), "adapter": adapter}}
    if adapter in OPTIONS:
        tree["data"][adapter] = OPTIONS[adapter]
    tree["resources"] = {"processes": 1, "preset": "tiny"}
    file = folder.parent / f"{adapter}.toml"
    file.write_text(tomli_w.dumps(tree) + changes, encoding="utf-8")
    return load_site(file)


def opened(config: SiteConfig) -> SiteState:
    """The state folder of a site, beside its data."""
    return SiteState.open(config.state, config.key)


def worker_of(prepared: Prepared, config: Config, folder: Path) -> Worker:
    """The worker that a deployed site would run on these records."""
    return Worker("north", prepared.table, prepared.images, config, folder / "worker")


def prepared_site(site: SiteConfig) -> Prepared:
    return prepare(site, opened(site), SIZE)


def reply(
    question: str, answer: Callable[[], Worker], request: Payload, monkeypatch: pytest.MonkeyPatch
) -> tuple[Message, bytes]:
    """The Flower message a site answers with, and its bytes on the wire. answer: gives the worker, or fails."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 2, 3
    monkeypatch.setattr(client.app, "simulated_worker", lambda index: answer())
    message = Message(to_records(request), dst_node_id=7, message_type=MESSAGE_TYPES[question])
    context = Context(run_id=1, node_id=7, node_config={"partition-id": 0}, state=RecordDict(), run_config={})
    sent = client.app.app(message, context)
    everything = message_to_proto(sent).SerializeToString() + repr(context.state).encode()
    return sent, everything
