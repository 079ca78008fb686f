"""Convolution in bfloat16 on CPUs that multiply pairs of it: three matrix products over overlapping rows.

x gets zeros at both ends of every sequence. Then the windows of its rows are the rows of a matrix that overlap, each
`n_in` elements after the one before, and y, dx and dW are products with it (see `convolution` in `kernels/dense`).
"""

from __future__ import annotations

from typing import Any

from tinygrad import Tensor, dtypes

from gattn_tg.kernels.dense.gemm import kernel
from gattn_tg.kernels.dense.gemm_plan import Gemm, plan
from gattn_tg.ops.launch import Output, laid_out, launch
from gattn_tg.ops.lookup import activation_slopes, column_sums
from gattn_tg.types import Float


def paired(
    pairs: str,
    x: Float[Tensor, "b n i"],
    weight: Float[Tensor, "o i k"],
    bias: Float[Tensor, "o"] | None,
    activation: str | None,
    residual: Float[Tensor, "bn o"] | None,
) -> Float[Tensor, "bn o"]:
    """The convolution of `ops.convolution` by instructions for pairs, differentiable in all operands."""
    b, n, n_in = x.shape
    n_out, _, size = weight.shape
    extras: dict[str, Any] = {"bias": bias is not None, "activation": activation, "residual": residual is not None}
    g = _windows(pairs, b, n, n_in, n_out, size, **extras)

    def gradient(cotangents: list[Tensor], results: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        padded, taps, *others = inputs
        dy = laid_out(cotangents[0])
        dz, sums = activation_slopes(activation, dy, results[2]) if activation else (dy, column_sums(dy))
        back = taps.reshape(size, n_in, n_out).flip(0).permute(0, 2, 1).reshape(size * n_out, n_in)
        turned = _windows(pairs, b, n, n_out, n_in, size)
        dx = _product(turned, _flat(dz.reshape(b, n, n_out), size), back)
        of_weight = plan(size * n_in, n_out, b * n, "km", pairs=pairs, stride=n_in, batches=b, gap=size - 1)
        of_inputs: list[Tensor | None] = [_flat(dx.reshape(b, n, n_in), size)]  # the zeros take no gradient on
        of_inputs.append(_product(of_weight, padded, dz))
        if g.bias:
            of_inputs.append(sums.cast(others[0].dtype))
        if g.residual:
            of_inputs.append(dy.cast(others[-1].dtype))
        return of_inputs

    taps = weight.permute(2, 1, 0).reshape(size * n_in, n_out)
    inputs = [t for t in (_flat(x, size), taps, bias, residual) if t is not None]
    outputs = [Output(g.out_shape, x.dtype), Output(g.scratch_shape, dtypes.float32)]
    outputs += [Output(g.out_shape, x.dtype)] * (activation is not None)
    return launch(kernel(g), outputs, inputs, gradient)[0]


def _windows(pairs: str, b: int, n: int, n_in: int, n_out: int, size: int, **extras: Any) -> Gemm:
    """The product of all windows with the taps."""
    return plan(b * n, n_out, size * n_in, pairs=pairs, stride=n_in, batches=b, gap=size - 1, **extras)


def _flat(x: Tensor, size: int) -> Tensor:
    """x with zeros at both ends of every sequence, as flat memory."""
    return x.pad(((0, 0), (size // 2, size // 2), (0, 0))).reshape(-1)


def _product(g: Gemm, a: Tensor, b: Tensor) -> Tensor:
    return launch(kernel(g), [Output(g.out_shape, a.dtype), Output(g.scratch_shape, dtypes.float32)], [a, b])[0]
