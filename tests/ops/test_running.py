"""Running sums and means of many tensors, and their memory as arrays: the kernels and the tensor operations alike."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.ops import running
from gattn_tg.ops.host import arrays_of, write

SHAPES = [(3, 2), (1,), (5,), *[(1 + i,) for i in range(30)]]  # more than one kernel takes


def draw(seed: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.array(rng.standard_normal(shape), np.float32) for shape in SHAPES[:count]]


def on(device: str, arrays: list[np.ndarray]) -> list[Tensor]:
    return [Tensor(a, device=device).realize() for a in arrays]


@pytest.mark.parametrize(("device", "count"), [("CPU", len(SHAPES)), ("PYTHON", 3)])
def test_sums_and_means(device: str, count: int) -> None:
    old, new = draw(0, count), draw(1, count)
    kept, fresh = (Tensor(np.array([x], np.float32), device=device).realize() for x in (0, 1))
    sums = on(device, old)
    running.add(sums, on(device, new), kept)
    Tensor.realize(*sums)
    for total, a, b in zip(sums, old, new, strict=True):
        np.testing.assert_array_equal(total.numpy(), a + b)
    sums = on(device, [a * np.nan for a in old])  # of a step that diverged
    running.add(sums, on(device, new), fresh)
    Tensor.realize(*sums)
    for total, b in zip(sums, new, strict=True):
        np.testing.assert_array_equal(total.numpy(), b)
    means = on(device, old)
    running.follow(means, on(device, new), Tensor(np.array([0.9], np.float32), device=device).realize())
    Tensor.realize(*means)
    for mean, a, b in zip(means, old, new, strict=True):
        np.testing.assert_allclose(mean.numpy(), 0.9 * a + 0.1 * b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("device", ["CPU", "PYTHON"])
def test_memory_as_arrays(device: str) -> None:
    tensors = on(device, draw(0, 3))
    arrays = arrays_of(tensors)
    for x, y in zip(arrays, draw(0, 3), strict=True):
        np.testing.assert_array_equal(x, y)
    write(tensors, [x + 1 for x in arrays])
    for x, y in zip(tensors, draw(0, 3), strict=True):
        np.testing.assert_array_equal(x.numpy(), y + 1)


def test_every_device_of_a_replicated_tensor_is_written() -> None:
    x = Tensor(np.zeros(3, np.float32), device="CPU").shard(("CPU:0", "CPU:1")).realize()
    arrays = arrays_of([x])
    arrays[0][:] = [1, 2, 3]  # the memory of the first device
    write([x], arrays)
    for buffer in x.uop.base.realized.bufs:
        np.testing.assert_array_equal(buffer.numpy(), [1, 2, 3])
