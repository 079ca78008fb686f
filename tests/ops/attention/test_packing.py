"""Operands that share buffers: what is put together comes apart again, and so do gradients."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.ops.attention.packing import Packing

RNG = np.random.default_rng(0)
Q = RNG.normal(size=(1, 2, 3, 4)).astype(np.float32)
IDS = RNG.integers(0, 5, (1, 3)).astype(np.uint8)
TABLE, STATS = RNG.normal(size=(1, 5)).astype(np.float32), RNG.normal(size=(1, 2, 3)).astype(np.float32)
LENGTHS, MAP = np.array([3], np.int32), RNG.integers(0, 5, (1, 3, 3)).astype(np.uint8)
ARRAYS = (Q, IDS, TABLE, MAP, STATS, LENGTHS)


def test_what_is_packed_comes_back():
    inputs = [Tensor(x) for x in ARRAYS]
    packing = Packing(inputs, kept=1, is_on=True)
    buffers = packing.pack(inputs)
    assert [(x.shape, x.dtype) for x in buffers] == [
        (Q.shape, dtypes.float32), ((4,), dtypes.int), ((11,), dtypes.float32), (MAP.shape, dtypes.uint8)
    ]  # fmt: skip
    for x, again in zip(ARRAYS, packing.unpack(buffers), strict=True):
        np.testing.assert_array_equal(x, again.numpy())


def test_gradients_land_where_their_operand_lies():
    inputs = [Tensor(x) for x in ARRAYS]
    packing = Packing(inputs, kept=1, is_on=True)
    of_q, of_ids, of_floats, of_map = packing.gradients([Tensor(Q), None, Tensor(TABLE), None, None, None])
    np.testing.assert_array_equal(of_q.numpy(), Q)
    assert of_ids is None
    assert of_map is None
    np.testing.assert_array_equal(of_floats.numpy(), np.concatenate([TABLE.reshape(-1), np.zeros(6, np.float32)]))


def test_off_changes_nothing():
    inputs = [Tensor(x) for x in ARRAYS]
    packing = Packing(inputs, kept=1, is_on=False)
    assert packing.pack(inputs) == inputs
    assert packing.unpack(inputs) == inputs

    def kernel():
        raise AssertionError("not called")

    assert packing.kernel(kernel, [(1,)]) is kernel
