"""Convolution along the sequence, channels last, with the activation and the sum that usually follow it."""

from __future__ import annotations

import functools

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ShapeError
from gattn_tg.kernels.dense.convolution import Windows, forward, plan, weight_gradient
from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.ops.activation import FUNCTIONS
from gattn_tg.ops.launch import Output, laid_out, launch, on_one_cpu
from gattn_tg.ops.linear import SMALL, linear
from gattn_tg.ops.lookup import activation_slopes, added_up, column_sums
from gattn_tg.ops.paired_convolution import paired
from gattn_tg.types import Float


def convolution(
    x: Float[Tensor, "b n i"],
    weight: Float[Tensor, "o i k"],
    bias: Float[Tensor, "o"] | None = None,
    activation: str | None = None,
    residual: Float[Tensor, "b n o"] | None = None,
) -> Float[Tensor, "b n o"]:
    """y[b, r] = f(sum_t W[:, :, t] x[b, r + t - k // 2] + bias) + residual[b, r], differentiable in all operands.

    Same length in and out, zeros beyond both ends.

    Args:
        x: Input, channels last; its dtype is that of the result.
        weight: W in the layout of `torch.nn.Conv1d`; k is odd.
        bias: One number per output channel.
        activation: f: as in `ops.linear`, or None for the identity.
        residual: Added after the activation.

    Raises:
        ShapeError: Widths that do not fit, or an even kernel.
        ConfigError: Unknown activation.

    Numerics: sums in float32. On CPUs that multiply pairs of bfloat16, x and W in it run on those, see
        `ops.paired_convolution`. On the CPU, long sequences run as products over overlapping rows of x (see
        `gattn_tg.kernels.dense.convolution`), each output one sum in order; short ones, other devices and sharded
        operands as one product over unfolded windows.
    """
    if x.ndim != 3 or weight.ndim != 3 or x.shape[2] != weight.shape[1] or weight.shape[2] % 2 == 0:
        raise ShapeError(
            f"convolution: expected x (b, n, i) and weight (o, i, k) with odd k, got x {x.shape} and weight "
            f"{weight.shape}; put the channels last, or choose an odd kernel"
        )
    (b, n, n_in), (n_out, _, kernel) = x.shape, weight.shape
    if kernel > 1 and activation in (*FUNCTIONS, None) and (pairs := _pairs(x, weight)):
        added = None if residual is None else residual.reshape(b * n, n_out)
        return paired(pairs, x, weight, bias, activation, added).reshape(b, n, n_out)
    g = plan(b, n, n_in, n_out, kernel, bias=bias is not None, activation=activation, residual=residual is not None)
    if kernel == 1 or not (on_one_cpu(x) and g.is_served and activation in (*FUNCTIONS, None)):
        flat = weight.reshape(n_out, n_in * kernel)
        return linear(unfolded(x, kernel), flat, bias, activation, residual)
    inputs = [x.cast(dtypes.float32).reshape(-1), weight]
    inputs += [t for t in (bias, None if residual is None else residual.reshape(b * n, n_out)) if t is not None]
    return _by_kernel(g, x, inputs).reshape(b, n, n_out)


def _pairs(x: Tensor, weight: Tensor) -> str | None:
    """The instructions for pairs of bfloat16 that serve a convolution and its gradients, or None."""
    if not on_one_cpu(x) or any(t.dtype != dtypes.bfloat16 for t in (x, weight)):
        return None
    # pairs of channels in and out, and of rows; the gradient of W lays out whole registers of its rows
    (_, n, n_in), (n_out, _, kernel) = x.shape, weight.shape
    if n % 2 or n_in % 2 or n_out % 2 or n * n_in * kernel * n_out < SMALL or n_in * kernel < pair_unit.SIDE:
        return None
    return pair_unit.chosen()


def unfolded(x: Float[Tensor, "b n i"], kernel: int) -> Float[Tensor, "b n ik"]:
    """The window around every row as one row, with zeros beyond both ends."""
    b, n, n_in = x.shape
    if kernel == 1:
        return x
    half = kernel // 2
    return x.pad(((0, 0), (half, half), (0, 0))).unfold(1, kernel, 1).reshape(b, n, n_in * kernel)


def _by_kernel(g: Windows, x: Tensor, inputs: list[Tensor]) -> Tensor:
    outputs = [Output((g.b * g.n, g.n_out), x.dtype)] * (2 if g.activation else 1)

    def gradient(cotangents: list[Tensor], results: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        flat, panels, *others = inputs
        dy = laid_out(cotangents[0])
        dz, sums = activation_slopes(g.activation, dy, results[1]) if g.activation else (dy, column_sums(dy))
        of_inputs: list[Tensor | None] = [_of_input(g, dz, panels), _of_weight(g, flat, dz)]
        if g.bias:
            of_inputs.append(sums.cast(others[0].dtype))
        if g.residual:
            of_inputs.append(dy.cast(others[-1].dtype))
        return of_inputs

    flat, weight, *others = inputs
    return launch(_forward(g), outputs, [flat, _panels(g, weight), *others], gradient)[0]


def _panels(g: Windows, weight: Tensor) -> Tensor:
    """W as (panels, kernel * n_in, width)."""
    taps = weight.permute(2, 1, 0).reshape(g.depth, g.panels, g.width)
    return taps.permute(1, 0, 2).cast(dtypes.float32)


def _of_input(g: Windows, dz: Tensor, panels: Tensor) -> Tensor:
    """The gradient of x, flat: the convolution of dz with the taps in reverse order and the channels exchanged."""
    weight = panels.permute(1, 0, 2).reshape(g.kernel, g.n_in, g.n_out).flip(0)  # k i o
    back = plan(g.b, g.n, g.n_out, g.n_in, g.kernel)
    if not back.is_served:
        flat = weight.permute(1, 2, 0).reshape(g.n_in, g.n_out * g.kernel)
        return linear(unfolded(dz.reshape(g.b, g.n, g.n_out), g.kernel), flat).reshape(-1)
    outputs = [Output((g.b * g.n, g.n_in), dtypes.float32)]
    operands = [dz.cast(dtypes.float32).reshape(-1), _panels(back, weight.permute(1, 2, 0))]
    return launch(_forward(back), outputs, operands)[0].reshape(-1)


def _of_weight(g: Windows, flat: Tensor, dz: Tensor) -> Tensor:
    """The gradient of W in the layout of the panels."""
    sums = launch(_weight_gradient(g), [Output(g.sums_shape, dtypes.float32)], [flat, dz])[0]
    return added_up(sums).reshape(g.depth, g.panels, g.width).permute(1, 0, 2)


_forward = functools.cache(forward)
_weight_gradient = functools.cache(weight_gradient)
