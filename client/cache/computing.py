"""Computing features side by side: as many at a time as training has threads, each by one thread.

Rather than one cut up among all: no thread then waits for another whose core somebody else is using, and a feature
is the same to the last bit however many threads there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

Compute = Callable[[], Tensor]  # features (T, width) of one photograph or note


def computed(work: Sequence[Compute]) -> Generator[Tensor, None, None]:
    """The features of each, in order, few ahead of what has been taken."""
    threads = torch.get_num_threads()
    with _threads_of_one(min(threads, len(work)), threads) as pool:
        ahead: deque[Future[Tensor]] = deque()
        for compute in work:
            if pool is None:
                yield compute()
                continue
            ahead.append(pool.submit(compute))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        yield from (future.result() for future in ahead)


@contextmanager
def _threads_of_one(count: int, before: int) -> Iterator[ThreadPoolExecutor | None]:
    """A pool whose threads have no others below them; none where there would be one alone. before: set again after."""
    if before == 1:
        yield None
        return
    pool = ThreadPoolExecutor(max(1, count), initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
