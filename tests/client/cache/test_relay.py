from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from client.cache import listener
from client.cache.relay import Relay, relayed, speak_through
from tests.client.cache.conftest import Heard


def test_what_other_processes_say_of_the_cache_is_heard_here() -> None:
    heard, context = Heard(), multiprocessing.get_context("spawn")
    with (
        relayed(heard) as channel,
        ProcessPoolExecutor(2, mp_context=context, initializer=speak_through, initargs=(channel,)) as pool,
    ):
        pool.submit(listener.announce, "3.9 GB for 1,204 photographs, 8 draws").result()
        pool.submit(listener.warn, "é" * 5000).result()
        for done in range(200):
            pool.submit(listener.progress, done, 200, "views")
    first, second = heard.said
    assert first == "trunk cache: 3.9 GB for 1,204 photographs, 8 draws"
    assert second.endswith("éé")
    assert sorted(heard.steps) == [(done, 200, "views") for done in range(200)]


def test_a_process_whose_listener_is_gone_goes_on() -> None:
    reader, writer = multiprocessing.Pipe(duplex=False)
    reader.close()
    Relay(writer).say("nobody hears this")


def test_where_nobody_listens_there_is_no_channel() -> None:
    with relayed(None) as channel:
        assert channel is None
        speak_through(channel)
    assert listener.current() is None
