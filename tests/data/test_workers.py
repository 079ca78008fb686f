"""Results come in order, whatever the number of processes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from gattn_tg.data.workers import AHEAD, in_order
from gattn_tg.errors import ConfigError

decode = partial(bytes.decode, encoding="ascii", errors="strict")


@pytest.mark.parametrize("processes", [1, 2])
def test_in_order_and_only_as_fast_as_taken(processes: int) -> None:
    drawn = []

    def items() -> Iterator[bytes]:
        for k in range(20):
            drawn.append(k)
            yield b"%d" % k

    results = in_order(decode, items(), processes)
    assert next(results) == "0"
    assert len(drawn) <= 1 + (AHEAD * processes if processes > 1 else 0)
    assert list(results) == [str(k) for k in range(1, 20)]


@pytest.mark.parametrize("processes", [1, 2])
def test_errors_come_through(processes: int) -> None:
    results = in_order(decode, [b"a", b"\xff"], processes)
    with pytest.raises(UnicodeDecodeError):
        list(results)


def test_no_process_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        list(in_order(decode, [], 0))
    assert str(caught.value) == "workers: expected at least one process, got 0; correct the setting"
