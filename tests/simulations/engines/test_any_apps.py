from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
from flwr.app import Array, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from shared_model.held_array import HeldArray, arrays_held, record_in, record_of
from simulations.bench.toy.inline import run_inline
from simulations.bench.toy.job import Job
from simulations.bench.toy.plain import run_plain
from simulations.engines.grid import run_apps


def test_the_inline_engine_trains_the_plain_loops_model_bit_for_bit() -> None:
    job = Job(clients=3, rounds=2, width=16, steps=2, batch=4)
    plain, inline = run_plain(job), run_inline(job)
    assert set(plain) == set(inline)
    assert all(torch.equal(plain[name], inline[name]) for name in plain)


def test_a_held_array_is_its_senders_memory_and_cannot_be_changed() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    with arrays_held():
        held = record_of({"a": array})["a"]
    assert isinstance(held, HeldArray)
    assert np.shares_memory(held.numpy(), array)
    with pytest.raises(ValueError, match="read-only"):
        held.numpy()[0, 0] = 1


def test_a_held_array_is_the_same_bytes_and_description_as_flowers() -> None:
    array = np.arange(4, dtype=np.int8)
    held, flowers = HeldArray(array), Array(array)
    assert (held.data, held.dtype, held.shape, held.stype) == (
        flowers.data,
        flowers.dtype,
        flowers.shape,
        flowers.stype,
    )


def test_outside_an_engine_of_one_process_arrays_are_bytes() -> None:
    assert type(record_of({"a": np.zeros(2)})["a"]) is Array


def test_a_reply_that_was_read_leaves_nothing_in_memory() -> None:
    """One update in memory, not all of a round's: also without waiting for the garbage collector."""
    client, server = ClientApp(), ServerApp()
    sent: list[weakref.ref[np.ndarray]] = []
    alive: list[int] = []

    @client.train()
    def train(message: Message, context: Context) -> Message:
        array = np.zeros(8)
        sent.append(weakref.ref(array))
        return Message(RecordDict({"arrays": record_of({"a": array})}), reply_to=message)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        content = RecordDict({"fields": ConfigRecord({"round": 1})})
        waiting = list(grid.push_messages([Message(content, node, "train") for node in grid.get_node_ids()]))
        for identity in waiting:
            for reply in grid.pull_messages([identity]):
                assert record_in(reply.content, "arrays")["a"].numpy().sum() == 0
            del reply
            alive.append(sum(one() is not None for one in sent))

    gc.disable()
    try:
        run_apps(server, client, 4)
    finally:
        gc.enable()
    assert alive == [0, 0, 0, 0]
