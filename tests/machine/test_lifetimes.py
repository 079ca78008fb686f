"""Memory of a captured graph is in use until the last launch that reads a part of it."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor
from tinygrad.dtype import dtypes
from tinygrad.engine import jit
from tinygrad.uop.ops import UOp

from gattn_tg.machine import lifetimes
from gattn_tg.machine.recorded import recorded
from gattn_tg.ops.norm import layer_norm


def test_a_part_of_a_buffer_keeps_the_buffer() -> None:
    buffer = UOp.new_buffer("CPU", 64, dtypes.float32)
    assert jit.memory_plan_rewrite is lifetimes.planned
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


def test_a_leaf_of_which_a_part_is_read_stays_as_it_is() -> None:
    """In what is realised at once, too: several launches of one graph, the first of which reads a part of the leaf."""
    array = np.random.default_rng(0).standard_normal((65, 64)).astype(np.float32)
    leaf, one, zero = (Tensor(x).realize() for x in (array, np.ones(64, np.float32), np.zeros(64, np.float32)))
    got = layer_norm(layer_norm(leaf[1:], one, zero) * 2, one, zero).numpy()
    rows = array[1:] - array[1:].mean(-1, keepdims=True)
    np.testing.assert_allclose(got, rows / np.sqrt((rows**2).mean(-1, keepdims=True)), atol=1e-4)
    np.testing.assert_array_equal(leaf.numpy(), array)
