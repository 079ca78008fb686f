"""Batches made in a thread while the device works on the one before."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterable
from typing import Generic, TypeVar

from gattn_tg.errors import ConfigError

Item = TypeVar("Item")
_POLL_S = 0.1  # how soon the thread notices that nobody takes its items any more


class Prefetched(Generic[Item]):
    """The items of an iterable, in order, up to `ahead` of them made in advance; iterate once.

    A thread is enough: copying windows out of mapped files and decompressing release Python's lock.

    Args:
        items: drawn in a thread of its own; an error of it is raised where the item would have come.
        ahead: items to hold ready.

    Attributes:
        waited_s: seconds for which the consumer stood still, the first item aside. Zero means that the device never
            waited for data.
        n_items: items given out.

    Raises:
        ConfigError: `ahead` is not positive.
    """

    def __init__(self, items: Iterable[Item], ahead: int = 2) -> None:
        if ahead < 1:
            raise ConfigError(f"prefetch: expected ahead of at least 1, got {ahead}; correct the setting")
        self.waited_s = 0.0
        self.n_items = 0
        self._items = items
        self._ready: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(ahead)
        self._stop = threading.Event()

    def __iter__(self) -> Generator[Item, None, None]:
        thread = threading.Thread(target=self._fill, name="gattn prefetch", daemon=True)
        thread.start()
        try:
            while True:
                began = time.perf_counter()
                item, fault = self._ready.get()
                if isinstance(fault, StopIteration):
                    return
                if fault is not None:
                    raise fault
                if self.n_items:
                    self.waited_s += time.perf_counter() - began
                self.n_items += 1
                yield item  # type: ignore[misc]
        finally:
            self._stop.set()
            thread.join()

    def _fill(self) -> None:
        fault: BaseException = StopIteration()
        try:
            for item in self._items:
                if not self._put(item, None):
                    return
        except BaseException as error:  # whatever it is belongs to the consumer
            fault = error
        self._put(None, fault)

    def _put(self, item: Item | None, fault: BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._ready.put((item, fault), timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
