"""Affine map of the last axis, with what usually follows it: activation and residual sum."""

from __future__ import annotations

import math
from typing import Any

from tinygrad import Tensor, dtypes
from tinygrad.dtype import DType

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.kernels.dense.gemm import kernel
from gattn_tg.kernels.dense.gemm_plan import Gemm, paired, plan
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
        elsewhere, and for small or sharded operands, tinygrad's own product. Where x and W are bfloat16 and the CPU has
        instructions for pairs of them, sums are taken by those, in float32 too (see `gattn_tg.kernels.pairs`).
    """
    _check(x, weight, bias, activation, residual)
    m, n, k = math.prod(x.shape[:-1]), weight.shape[0], weight.shape[1]
    if not _serves(x, m, n, k):
        return _finish(x.matmul(weight.transpose(), dtype=dtypes.float32), bias, activation, residual).cast(x.dtype)
    extras: dict[str, Any] = {"bias": bias is not None, "activation": activation, "residual": residual is not None}
    g = plan(m, n, k, lanes="nk", pairs=_pairs(m, k, "mk", x, weight), **extras)
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
    inputs = [t for t in (x if g.pairs else _wide(x), weight, bias, residual) if t is not None]
    outputs = [Output(g.out_shape, x.dtype), Output(g.scratch_shape, dtypes.float32)]
    if g.activation:
        outputs.append(Output(g.out_shape, x.dtype))

    def gradient(cotangents: list[Tensor], results: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        a, w, *others = inputs
        dy = laid_out(cotangents[0])
        dz, sums = activation_slopes(g.activation, dy, results[2]) if g.activation else (dy, column_sums(dy))
        of_inputs: list[Tensor | None] = [product(dz, w, a.dtype), product_tn(dz, a, w.dtype)]
        if g.bias:
            of_inputs.append(sums.cast(others[0].dtype))
        if g.residual:
            of_inputs.append(dy.cast(others[-1].dtype))
        return of_inputs

    return launch(kernel(g), outputs, inputs, gradient)[0]


def product(a: Float[Tensor, "m k"], b: Float[Tensor, "k n"], dtype: DType = dtypes.float32) -> Float[Tensor, "m n"]:
    """a b, summed in float32, without a gradient of its own."""
    m, k = a.shape
    pairs = _pairs(m, k, "mk", a, b)
    return _run(plan(m, b.shape[1], k, pairs=pairs), a if pairs else _wide(a), b, dtype)


def product_tn(
    a: Float[Tensor, "k m"], b: Float[Tensor, "k n"], dtype: DType = dtypes.float32
) -> Float[Tensor, "m n"]:
    """a^T b, summed in float32, without a gradient of its own.

    The narrower operand is the one that is laid out by rows; of pairs both are laid out, and none is turned.
    """
    (k, m), n = a.shape, b.shape[1]
    if pairs := _pairs(m, k, "km", a, b):
        return _run(plan(m, n, k, rows="km", pairs=pairs), a, b, dtype)
    swap = m > n
    a, b = (b, a) if swap else (a, b)
    return _run(plan(a.shape[1], b.shape[1], k, rows="km", transposed=swap), a, b, dtype)


def _run(g: Gemm, a: Tensor, b: Tensor, dtype: DType) -> Tensor:
    return launch(kernel(g), [Output(g.out_shape, dtype), Output(g.scratch_shape, dtypes.float32)], [a, b])[0]


def _pairs(m: int, k: int, rows: str, *operands: Tensor) -> str | None:
    """The instructions for pairs of bfloat16 that serve a product, or None."""
    return paired(m, k, rows) if all(x.dtype == dtypes.bfloat16 for x in operands) else None


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
