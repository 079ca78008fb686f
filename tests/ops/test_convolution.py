"""convolution against a float64 sum over taps: values and gradients of every operand, long and short sequences."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor, dtypes

from gattn_tg.errors import ShapeError
from gattn_tg.kernels.dense.convolution import plan
from gattn_tg.machine import pairs, threads
from gattn_tg.ops.convolution import convolution

CASES = [  # b, n, i, o, k, activation, residual
    (2, 700, 32, 64, 5, "gelu", True),
    (1, 1031, 5, 32, 15, None, False),  # one-hot bases: the gradient of x takes the other way
    (3, 600, 48, 96, 3, "relu", False),
    (2, 60, 8, 32, 5, "gelu", True),  # too short for the kernels
    (2, 600, 32, 20, 5, None, False),  # no lanes divide 20
    (2, 600, 32, 32, 1, "gelu", False),
]


def truth(x: np.ndarray, w: np.ndarray, dz: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z without bias, and the gradients of x and w for a cotangent of z."""
    (_, n, _), kernel = x.shape, w.shape[2]
    half = kernel // 2
    wide = np.pad(x, ((0, 0), (half, half), (0, 0)))
    z = sum(wide[:, t : t + n] @ w[:, :, t].T for t in range(kernel))
    dwide = np.zeros_like(wide)
    for t in range(kernel):
        dwide[:, t : t + n] += dz @ w[:, :, t]
    dw = np.stack([np.einsum("bno,bni->oi", dz, wide[:, t : t + n]) for t in range(kernel)], axis=2)
    return z, dwide[:, half : half + n], dw


def gelu(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u = np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)
    t = np.tanh(u)
    return z * (1 + t) / 2, (1 + t) / 2 + z * (1 - t**2) / 2 * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)


@pytest.mark.parametrize("case", CASES, ids=lambda c: "_".join(map(str, c)))
def test_values_and_gradients(case: tuple[int, int, int, int, int, str | None, bool]) -> None:
    b, n, i, o, k, activation, has_residual = case
    rng = np.random.default_rng(0)
    shapes = ((b, n, i), (o, i, k), (o,), (b, n, o), (b, n, o))
    x, w, bias, residual, dy = (rng.standard_normal(s).astype(np.float32) for s in shapes)
    w /= np.float32(np.sqrt(i * k))
    tensors = [Tensor(a, device="CPU") for a in (x, w, bias, residual)][: 4 if has_residual else 3]
    y = convolution(*tensors[:3], activation, *tensors[3:])
    gradients = (y * Tensor(dy, device="CPU")).sum().gradient(*tensors)
    z = truth(x.astype(float), w.astype(float), dy.astype(float))[0] + bias
    if activation == "relu":
        value, slope = np.maximum(z, 0), (z > 0).astype(float)
    else:
        value, slope = gelu(z) if activation else (z, np.ones_like(z))
    dz = dy * slope
    _, dx, dw = truth(x.astype(float), w.astype(float), dz)
    expected = [value + (residual if has_residual else 0), dx, dw, dz.sum((0, 1)), dy.astype(float)]
    for ours, true in zip([y, *gradients], expected, strict=False):
        assert np.abs(ours.numpy() - true).max() <= 2e-6 * np.abs(true).max()


def test_the_kernels_serve_long_sequences_with_channels_in_lanes_of_32() -> None:
    assert plan(1, 131_072, 5, 64, 15).is_served
    assert not plan(1, 131_072, 64, 5, 15).is_served
    assert not plan(64, 101, 64, 64, 9).is_served


def test_one_core_and_two_give_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in ((2, 1100, 32), (32, 32, 5), (2, 1100, 32))]

    def run(cores: int) -> list[bytes]:
        threads.set_threads(cores)
        try:
            x, w, dy = (Tensor(a, device="CPU") for a in arrays)
            y = convolution(x, w)
            return [t.numpy().tobytes() for t in (y, *(y * dy).sum().gradient(x, w))]
        finally:
            threads.set_threads(None)

    assert run(1) == run(2)


def test_refusals_name_both_shapes() -> None:
    message = r"convolution: expected x \(b, n, i\) and weight \(o, i, k\) with odd k, got x \(1, 8, 3\) and"
    for shape in ((4, 3, 2), (4, 5, 3)):
        with pytest.raises(ShapeError, match=message):
            convolution(Tensor.zeros(1, 8, 3), Tensor.zeros(*shape))


@pytest.mark.skipif(not pairs.available(), reason="this CPU has no instructions for pairs of bfloat16")
@pytest.mark.parametrize("case", [(2, 60, 8, 32, 5, "relu", True), (3, 130, 6, 20, 3, None, False)])
def test_pairs_of_bfloat16_see_no_other_sequence(case: tuple[int, int, int, int, int, str | None, bool]) -> None:
    """Windows are rows that overlap in one memory of all sequences; what lies between them is in no sum."""
    b, n, i, o, k, activation, has_residual = case
    rng = np.random.default_rng(0)
    shapes = ((b, n, i), (o, i, k), (o,), (b, n, o), (b, n, o))
    given = [Tensor(rng.standard_normal(s).astype(np.float32), device="CPU").cast(dtypes.bfloat16) for s in shapes]
    x, w, bias, residual, dy = (t.realize() for t in given)
    operands = [x, w, bias, residual][: 4 if has_residual else 3]
    with pairs.assuming(pairs.available()[0]):
        y = convolution(*operands[:3], activation, *operands[3:])
        found = [t.float().numpy() for t in (y, *y.gradient(*operands, gradient=dy))]
    wide = [t.float().numpy().astype(float) for t in (x, w, bias, residual, dy)]
    z = truth(wide[0], wide[1], wide[4])[0] + wide[2]
    value, slope = (np.maximum(z, 0), (z > 0).astype(float)) if activation else (z, np.ones_like(z))
    dz = wide[4] * slope
    _, dx, dw = truth(wide[0], wide[1], dz)
    expected = [value + (wide[3] if has_residual else 0), dx, dw, dz.sum((0, 1)), wide[4]]
    for ours, true in zip(found, expected, strict=False):
        assert np.abs(ours - true).max() <= 2.0**-7 * np.abs(true).max()
