"""Batches from a thread: same items, same errors, no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from gattn_tg.data import Prefetched
from gattn_tg.errors import ConfigError


def test_items_come_in_order() -> None:
    source = Prefetched(range(100), ahead=3)
    assert list(source) == list(range(100))
    assert source.n_items == 100


def test_items_are_made_while_one_is_used() -> None:
    third = threading.Event()

    def source() -> Iterator[int]:
        yield 0
        yield 1
        third.set()
        yield 2

    items = Prefetched(source(), ahead=2)
    stream = iter(items)
    assert next(stream) == 0
    assert third.wait(60)  # made although nobody has asked for it
    assert list(stream) == [1, 2]
    assert items.waited_s >= 0


def test_errors_come_where_the_item_would() -> None:
    def faulty() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("here")

    source = iter(Prefetched(faulty()))
    assert next(source) == 1
    with pytest.raises(ZeroDivisionError, match="here"):
        next(source)


def test_stopping_early_ends_the_thread() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 0

    source = iter(Prefetched(endless()))
    next(source)
    source.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "gattn prefetch"]


def test_ahead_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Prefetched([], ahead=0)
    assert str(caught.value) == "prefetch: expected ahead of at least 1, got 0; correct the setting"
