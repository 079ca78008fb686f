"""Memory of a captured graph is in use until the last launch that reads a part of it."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor
from tinygrad.dtype import dtypes
from tinygrad.schedule import memory
from tinygrad.uop.ops import UOp

import gattn_tg.ops.launch  # noqa: F401  installs it
from gattn_tg.machine import lifetimes
from gattn_tg.machine.recorded import recorded


def test_a_part_of_a_buffer_keeps_the_buffer() -> None:
    buffer = UOp.new_buffer("CPU", 64, dtypes.float32)
    assert memory._collect_bufs is lifetimes.buffers
    assert lifetimes.buffers(buffer) == [buffer]
    assert lifetimes.buffers(buffer.reshape((8, 8)).shrink(((2, 4), (0, 8)))) == [buffer]
    assert lifetimes.buffers(UOp.const(3, dtypes.int32)) == []


def test_memory_is_not_given_away_while_a_part_of_it_is_still_read() -> None:
    x = Tensor(np.arange(64, dtype=np.float32)).realize()

    def run(x: Tensor) -> Tensor:
        part = (x + 1).contiguous()[16:32].contiguous().realize()
        others = [(x * i).contiguous().realize() for i in range(2, 6)]
        return (part + sum(o[:16] for o in others)).contiguous().realize()

    captured = recorded(run, [x])
    for _ in range(2):
        np.testing.assert_array_equal(captured(x).numpy(), np.arange(17, 33) + 14.0 * np.arange(16))
