"""linear against NumPy in float64: values and gradients of every operand, any shape, inside the JIT, in few kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tinygrad import Tensor, TinyJit, dtypes
from tinygrad.helpers import GlobalCounters

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.machine import threads
from gattn_tg.ops.linear import linear

Arrays = dict[str, np.ndarray]


def draw(m: int, k: int, n: int, seed: int = 0) -> Arrays:
    rng = np.random.default_rng([seed, m, k, n])
    shapes = {"x": (m, k), "weight": (n, k), "bias": (n,), "residual": (m, n)}
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    arrays["weight"] /= math.sqrt(k)
    return arrays


def slope_and_value(activation: str | None, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if activation is None:
        return z, np.ones_like(z)
    if activation == "relu":
        return np.maximum(z, 0), (z > 0).astype(z.dtype)
    if activation == "silu":
        g = 1 / (1 + np.exp(-z))
        return z * g, g + z * g * (1 - g)
    if activation == "gelu_erf":
        below = np.vectorize(math.erfc)(-z / math.sqrt(2)) / 2
        return z * below, below + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    scale = math.sqrt(2 / math.pi)
    t = np.tanh(scale * (z + 0.044715 * z**3))
    return z * (1 + t) / 2, (1 + t) / 2 + z * (1 - t**2) / 2 * scale * (1 + 3 * 0.044715 * z**2)


def truth(arrays: Arrays, activation: str | None, dy: np.ndarray) -> tuple[np.ndarray, Arrays]:
    wide = {name: a.astype(np.float64) for name, a in arrays.items()}
    z = wide["x"] @ wide["weight"].T + wide.get("bias", 0.0)
    y, slope = slope_and_value(activation, z)
    dz = dy * slope
    gradients = {"x": dz @ wide["weight"], "weight": dz.T @ wide["x"], "bias": dz.sum(0), "residual": dy}
    return y + wide.get("residual", 0.0), {name: gradients[name] for name in arrays}


def check(ours: np.ndarray, true: np.ndarray, depth: int, unit: float = 2**-24) -> None:
    """Errors of a float32 sum grow at most like its length; in practice like its square root."""
    scale = np.abs(true).max() + 1e-30
    assert np.abs(ours - true).max() / scale <= 8 * unit * (4 + math.sqrt(depth))


FORMS = ["plain", "bias", "gelu", "relu_residual"]
SHAPES = [
    (128, 64, 64),  # whole tiles
    (100, 70, 45),  # every edge inside a tile
    (301, 33, 130),
    (5, 400, 200),  # fewer rows than a tile
    (640, 16, 48),  # narrower than a panel
    (70, 4100, 65),  # k cut in two
    (4101, 20, 40),  # the tokens of the weight gradient have no divisor near 2: one long panel
    (3, 4, 5),  # tinygrad's own product
]


@pytest.mark.parametrize(("shape", "kind"), [
    *((shape, kind) for shape in SHAPES for kind in FORMS),
    *((shape, kind) for shape in ((100, 70, 45), (3, 4, 5)) for kind in ("gelu_erf", "silu")),
], ids=lambda x: x if isinstance(x, str) else "x".join(map(str, x)))  # fmt: skip
def test_values_and_gradients(shape: tuple[int, int, int], kind: str) -> None:
    arrays = draw(*shape)
    if kind == "plain":
        arrays.pop("bias")
    if "residual" not in kind:
        arrays.pop("residual")
    activation = next((a for a in ("gelu_erf", "gelu", "relu", "silu") if a in kind), None)
    dy = np.random.default_rng(1).standard_normal((shape[0], shape[2])).astype(np.float32)
    tensors = {name: Tensor(a, device="CPU") for name, a in arrays.items()}
    y = linear(tensors["x"], tensors["weight"], tensors.get("bias"), activation, tensors.get("residual"))
    gradients = (y * Tensor(dy, device="CPU")).sum().gradient(*tensors.values())
    true_y, true_gradients = truth(arrays, activation, dy)
    check(y.numpy(), true_y, shape[1])
    for name, gradient in zip(tensors, gradients, strict=True):
        check(gradient.numpy(), true_gradients[name], max(shape))


@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16])
def test_narrow_types_accumulate_in_float32(dtype: dtypes) -> None:
    arrays = draw(200, 300, 80)
    tensors = {name: Tensor(a, device="CPU").cast(dtype).realize() for name, a in arrays.items()}
    y = linear(tensors["x"], tensors["weight"], tensors["bias"], "gelu", tensors["residual"])
    assert y.dtype == dtype
    gradients = y.float().sum().gradient(*tensors.values())
    assert [g.dtype for g in gradients] == [dtype] * 4
    rounded = {name: t.float().numpy() for name, t in tensors.items()}
    true_y, true_gradients = truth(rounded, "gelu", np.ones((200, 80), np.float32))
    unit = 2.0**-11 if dtype == dtypes.float16 else 2.0**-8
    check(y.float().numpy(), true_y, 1, unit)
    for name, gradient in zip(tensors, gradients, strict=True):
        check(gradient.float().numpy(), true_gradients[name], 1, unit)


def test_leading_axes_and_views() -> None:
    arrays = draw(120, 64, 96)
    x = Tensor(np.ascontiguousarray(arrays["x"].reshape(4, 30, 64).transpose(1, 0, 2)), device="CPU").permute(1, 0, 2)
    y = linear(x, Tensor(arrays["weight"], device="CPU"))
    assert y.shape == (4, 30, 96)
    check(y.numpy().reshape(120, 96), arrays["x"].astype(np.float64) @ arrays["weight"].T, 64)


def test_same_bits_on_any_number_of_cores() -> None:
    arrays = draw(333, 130, 190)

    def run() -> list[bytes]:
        tensors = [Tensor(a, device="CPU") for a in arrays.values()]
        y = linear(*tensors[:3], "gelu", tensors[3])
        return [y.numpy().tobytes(), *(g.numpy().tobytes() for g in y.square().sum().gradient(*tensors))]

    try:
        threads.set_threads(1)
        one = run()
        for n_threads in (2, 3, 7):
            threads.set_threads(n_threads)
            assert run() == one
    finally:
        threads.set_threads(None)


def test_in_the_jit_over_and_over() -> None:
    arrays = draw(150, 64, 128)
    weight = Tensor(arrays["weight"], device="CPU").realize()

    @TinyJit
    def step(x: Tensor) -> tuple[Tensor, Tensor]:
        y = linear(x, weight, activation="gelu")
        gradient = y.sum().gradient(weight)[0]
        Tensor.realize(y, gradient)
        return y, gradient

    for seed in range(5):
        x = draw(150, 64, 128, seed)["x"]
        y, gradient = step(Tensor(x, device="CPU").realize())
        true_y, true = truth({"x": x, "weight": arrays["weight"]}, "gelu", np.ones((150, 128), np.float32))
        check(y.numpy(), true_y, 64)
        check(gradient.numpy(), true["weight"], 150)


def test_number_of_kernels() -> None:
    """Forward with all extras is one kernel; the gradient adds the slope, the bias sum and three for the products."""
    arrays = draw(256, 64, 128)
    tensors = [Tensor(a, device="CPU").realize() for a in arrays.values()]
    dy = Tensor(np.ones((256, 128), np.float32), device="CPU").realize()
    y = linear(*tensors[:3], "gelu", tensors[3])
    GlobalCounters.reset()
    y.sum().realize()
    assert GlobalCounters.kernel_count == 1 + 2  # and the sum, in two stages
    gradients = (linear(*tensors[:3], "gelu", tensors[3]) * dy).sum().gradient(*tensors[:3])
    GlobalCounters.reset()
    Tensor.realize(*gradients)
    assert GlobalCounters.kernel_count <= 1 + 6  # and the second half of the bias sum


def test_gradient_after_the_loss_was_read() -> None:
    """tinygrad forgets how realised memory was made; a layer must not, or training would stand still unnoticed."""
    arrays = draw(64, 64, 64)
    tensors = [Tensor(a, device="CPU").realize() for a in arrays.values()]
    loss = linear(*tensors[:3], "gelu", tensors[3]).square().sum()
    before = [g.numpy() for g in loss.gradient(*tensors)]
    loss.item()
    for early, late in zip(before, loss.gradient(*tensors), strict=True):
        np.testing.assert_array_equal(late.numpy(), early)
        assert np.abs(early).max() > 0


def test_nothing_leaks_between_rows() -> None:
    """A row of nan or infinity stays in its row, also at the edges where tiles overlap."""
    arrays = draw(104, 64, 100)
    arrays["x"][103] = np.nan
    arrays["x"][7] = np.inf
    y = linear(Tensor(arrays["x"], device="CPU"), Tensor(arrays["weight"], device="CPU")).numpy()
    assert np.isfinite(np.delete(y, (7, 103), 0)).all()
    assert np.isnan(y[103]).all()


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            ((4, 5), (3, 6), None, None),
            "linear: expected weight (n_out, n_in) with n_in the last axis of x, got weight (3, 6) and x (4, 5); "
            "transpose the weight or project x first",
        ),
        (
            ((4, 5), (3, 5), (4,), None),
            "linear: expected bias with one number per output, (3,), got (4,); reshape it or leave it out",
        ),
        (
            ((4, 5), (3, 5), None, (3,)),
            "linear: expected residual of the shape of the result, (4, 3), got (3,); expand it first",
        ),
    ],
)
def test_shapes_that_do_not_fit(shapes: tuple[tuple[int, ...] | None, ...], message: str) -> None:
    x, weight, bias, residual = (None if s is None else Tensor.zeros(*s) for s in shapes)
    assert x is not None
    assert weight is not None
    with pytest.raises(ShapeError) as raised:
        linear(x, weight, bias, residual=residual)
    assert str(raised.value) == message


def test_unknown_activation() -> None:
    with pytest.raises(ConfigError) as raised:
        linear(Tensor.zeros(4, 5), Tensor.zeros(3, 5), activation="tanh")
    assert str(raised.value) == (
        "linear: expected activation to be one of gelu, gelu_erf, relu, silu or None, got 'tanh'; apply another one to "
        "the result"
    )
