"""Affine map of the last axis, with what usually follows it: activation and residual sum."""

from __future__ import annotations

import math

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.kernels.dense.gemm import Gemm, kernel, plan
from gattn_tg.kernels.tiles.epilogue import ACTIVATIONS
from gattn_tg.ops.activation import FUNCTIONS
from gattn_tg.ops.launch import Output, laid_out, launch, on_one_cpu
from gattn_tg.ops.lookup import activation_slopes, column_sums
from gattn_tg.types import Float

# Below this many multiply-adds tinygrad's own product costs no more (about 40 us with its launch, both ways 80), and it
# can be fused with its neighbours.
SMALL = 2**17


def linear(
    x: Float[Tensor, "... n_in"],
    weight: Float[Tensor, "n_out n_in"],
    bias: Float[Tensor, "n_out"] | None = None,
    activation: str | None = None,
    residual: Float[Tensor, "... n_out"] | None = None,
) -> Float[Tensor, "... n_out"]:
    """y = f(x W^T + b) + residual over the last axis, differentiable in all operands.

    Args:
        x: Input; its dtype is that of the result.
        weight: W.
        bias: b.
        activation: f: "gelu" (tanh form), "gelu_erf" (exact form), "relu", "silu" or None for the identity.
        residual: Added after the activation.

    Returns:
        y, in the dtype of x.

    Raises:
        ShapeError: Widths of x, weight, bias or residual do not fit.
        ConfigError: Unknown activation.

    Numerics: on the CPU one kernel per product (see `gattn_tg.kernels.dense.gemm`), sums over n_in in order in float32;
        elsewhere, and for small or sharded operands, tinygrad's own product.
    """
    _check(x, weight, bias, activation, residual)
    m, n, k = math.prod(x.shape[:-1]), weight.shape[0], weight.shape[1]
    if not _serves(x, m, n, k):
        return _finish(x.matmul(weight.transpose(), dtype=dtypes.float32), bias, activation, residual).cast(x.dtype)
    g = plan(m, n, k, lanes="nk", bias=bias is not None, activation=activation, residual=residual is not None)
    added = None if residual is None else residual.reshape(m, n)
    return _forward(g, x.reshape(m, k), weight, bias, added).reshape(*x.shape[:-1], n)


def _serves(x: Tensor, m: int, n: int, k: int) -> bool:
    """True where the CPU kernel is the faster way."""
    return on_one_cpu(x) and m * n * k >= SMALL


def _finish(y: Tensor, bias: Tensor | None, activation: str | None, residual: Tensor | None) -> Tensor:
    y = y if bias is None else y + bias
    y = y if activation is None else FUNCTIONS[activation](y)
    return y if residual is None else y + residual


def _forward(g: Gemm, x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor | None) -> Tensor:
    """The kernel, with its gradient."""
    inputs = [t for t in (_wide(x), weight, bias, residual) if t is not None]
    outputs = [Output(g.out_shape, x.dtype), Output(g.scratch_shape, dtypes.float32)]
    if g.activation:
        outputs.append(Output(g.out_shape, x.dtype))

    def gradient(cotangents: list[Tensor], results: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        a, w, *others = inputs
        dy = laid_out(cotangents[0])
        dz, sums = activation_slopes(g.activation, dy, results[2]) if g.activation else (dy, column_sums(dy))
        of_inputs: list[Tensor | None] = [product(dz, w).cast(a.dtype), product_tn(dz, a).cast(w.dtype)]
        if g.bias:
            of_inputs.append(sums.cast(others[0].dtype))
        if g.residual:
            of_inputs.append(dy.cast(others[-1].dtype))
        return of_inputs

    return launch(kernel(g), outputs, inputs, gradient)[0]


def product(a: Float[Tensor, "m k"], b: Float[Tensor, "k n"]) -> Float[Tensor, "m n"]:
    """a b in float32, without a gradient of its own."""
    return _run(plan(a.shape[0], b.shape[1], a.shape[1]), _wide(a), b)


def product_tn(a: Float[Tensor, "k m"], b: Float[Tensor, "k n"]) -> Float[Tensor, "m n"]:
    """a^T b in float32, without a gradient of its own; the narrower operand is the one that is laid out by rows."""
    swap = a.shape[1] > b.shape[1]
    a, b = (b, a) if swap else (a, b)
    return _run(plan(a.shape[1], b.shape[1], a.shape[0], rows="km", transposed=swap), a, b)


def _run(g: Gemm, a: Tensor, b: Tensor) -> Tensor:
    return launch(kernel(g), [Output(s, dtypes.float32) for s in (g.out_shape, g.scratch_shape)], [a, b])[0]


def _wide(a: Tensor) -> Tensor:
    """Rows in float32: the kernel reads each one many times, so narrow types are widened once."""
    return a.cast(dtypes.float32)


def _check(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str | None, residual: Tensor | None) -> None:
    if weight.ndim != 2 or x.ndim < 1 or x.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"linear: expected weight (n_out, n_in) with n_in the last axis of x, got weight {weight.shape} and x "
            f"{x.shape}; transpose the weight or project x first"
        )
    if bias is not None and bias.shape != (weight.shape[0],):
        raise ShapeError(
            f"linear: expected bias with one number per output, {(weight.shape[0],)}, got {bias.shape}; "
            "reshape it or leave it out"
        )
    if residual is not None and residual.shape != (*x.shape[:-1], weight.shape[0]):
        raise ShapeError(
            f"linear: expected residual of the shape of the result, {(*x.shape[:-1], weight.shape[0])}, "
            f"got {residual.shape}; expand it first"
        )
    if activation is not None and activation not in ACTIVATIONS:
        raise ConfigError(
            f"linear: expected activation to be one of {', '.join(ACTIVATIONS)} or None, got {activation!r}; "
            "apply another one to the result"
        )
