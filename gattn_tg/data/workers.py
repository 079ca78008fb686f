"""Work spread over processes, its results in order, with a bounded number of items under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.pool import AsyncResult
from typing import TypeVar

from gattn_tg.errors import ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Items waiting per process: enough that none idles, few enough that memory stays constant."""


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int = 1
) -> Iterator[Result]:
    """Yield `function(item)` of each item, in their order.

    Processes are spawned, not forked: a fork of a process with threads or an open device may hang.

    Args:
        function: of a module, so that a new process finds it; what it is bound to is sent along.
        items: drawn only as fast as results are taken, `AHEAD` per process in front.
        processes: 1 works in this process.

    Raises:
        ConfigError: fewer than one process. Errors of the function are raised here.
    """
    if processes < 1:
        raise ConfigError(f"workers: expected at least one process, got {processes}; correct the setting")
    if processes == 1:
        yield from map(function, items)
        return
    with get_context("spawn").Pool(processes) as pool:
        waiting: deque[AsyncResult[Result]] = deque()
        for item in items:
            waiting.append(pool.apply_async(function, (item,)))
            if len(waiting) > AHEAD * processes:
                yield waiting.popleft().get()
        while waiting:
            yield waiting.popleft().get()
