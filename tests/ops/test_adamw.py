"""AdamW of many tensors at once against its formula in float64, the norm of gradients, and the order of reads."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import GlobalCounters

from gattn_tg.ops.adamw import adamw, norm

SHAPES = [(7, 5), (3,), (), (130, 2), *[(1 + i,) for i in range(20)]]  # more than one kernel takes
B1, B2, EPS, DECAY, RATE = 0.9, 0.99, 1e-8, 0.1, 0.05


def draw(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.array(rng.standard_normal(shape), np.float32) for shape in SHAPES]


def on(device: str, arrays: list[np.ndarray]) -> list[Tensor]:
    return [Tensor(np.reshape(a, -1), device=device).realize().reshape(np.shape(a)) for a in arrays]


@pytest.mark.parametrize("device", ["CPU", "PYTHON"])  # the kernels, and the tensor operations of other devices
def test_three_steps_follow_the_formula(device: str) -> None:
    count = len(SHAPES) if device == "CPU" else 4
    values = draw(0)[:count]
    true = [[a.astype(np.float64), np.zeros(a.shape), np.zeros(a.shape)] for a in values]
    p, m, v = on(device, values), on(device, [x * 0 for x in values]), on(device, [x * 0 for x in values])
    for t in range(1, 4):
        gradients = draw(t)[:count]
        powers = on(device, [np.array([b**t], np.float32) for b in (B1, B2)])
        rate = Tensor([RATE], device=device)
        adamw(p, on(device, gradients), m, v, rate, (powers[0], powers[1]), 0.5,
              betas=(B1, B2), eps=EPS, decay=DECAY)
        Tensor.realize(*p, *m, *v)
        for state, g in zip(true, gradients, strict=True):
            step = 0.5 * g.astype(np.float64)
            state[1] = B1 * state[1] + (1 - B1) * step
            state[2] = B2 * state[2] + (1 - B2) * step**2
            up = state[1] / (1 - B1**t) / (np.sqrt(state[2] / (1 - B2**t)) + EPS)
            state[0] = state[0] - RATE * (up + DECAY * state[0])
    for tensors, i in ((p, 0), (m, 1), (v, 2)):
        for ours, state in zip(tensors, true, strict=True):
            np.testing.assert_allclose(ours.numpy(), state[i], rtol=1e-4, atol=1e-5)


def test_norm() -> None:
    arrays = draw(3)
    expected = np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in arrays))
    for device in ("CPU", "PYTHON"):
        assert abs(norm(on(device, arrays)).item() - expected) < 1e-5 * expected


def test_what_reads_a_parameter_reads_it_before_the_update() -> None:
    """The second layer's weight is read by the backward pass of the first; its update must wait for that."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((4, 4)).astype(np.float32) for _ in range(2))
    p, m, v = on("CPU", [a, b]), on("CPU", [a * 0, b * 0]), on("CPU", [a * 0, b * 0])
    powers = on("CPU", [np.array([x], np.float32) for x in (B1, B2)])

    @TinyJit
    def step(x: Tensor) -> Tensor:
        loss = x.matmul(p[0]).matmul(p[1]).square().sum()
        gradients = loss.gradient(*p)
        kept = [g.contiguous() for g in gradients]
        adamw(p, gradients, m, v, Tensor([RATE], device="CPU"), (powers[0], powers[1]), betas=(B1, B2))
        Tensor.realize(*kept, *p, *m, *v)
        return kept[0]

    for _ in range(4):
        old = [x.numpy().astype(np.float64) for x in p]
        x = rng.standard_normal((3, 4)).astype(np.float32)
        ours = step(Tensor(x, device="CPU").realize()).numpy()
        true = x.T.astype(np.float64) @ (2 * x @ old[0] @ old[1]) @ old[1].T
        np.testing.assert_allclose(ours, true, rtol=1e-4, atol=1e-4)
        assert np.abs(p[1].numpy() - old[1]).max() > 1e-4


def test_number_of_kernels() -> None:
    p, m, v, g = (on("CPU", draw(i)[:15]) for i in range(4))
    powers = on("CPU", [np.array([x], np.float32) for x in (B1, B2)])
    adamw(p, g, m, v, Tensor([RATE], device="CPU").realize(), (powers[0], powers[1]))
    GlobalCounters.reset()
    Tensor.realize(*p, *m, *v)
    assert GlobalCounters.kernel_count <= 3  # the scalars, and the update of all 15
