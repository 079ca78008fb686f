"""What follows the sums of a tile while they are in registers: bias, activation, residual; and the activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.tile import exp2, is_nan

GELU_SCALE, GELU_CUBE = 0.7978845608028654, 0.044715  # sqrt(2 / pi); Hendrycks & Gimpel 2016, tanh form
LOG2E = 1.4426950408889634
DENSITY = 0.3989422804014327  # 1 / sqrt(2 pi), of the normal distribution at 0
ROOT_HALF = 0.7071067811865476
# of the polynomial in t = 1 / (1 + ERF[0] z), the highest power first
ERF = (0.3275911, 1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)

ACTIVATIONS = ("gelu", "gelu_erf", "relu", "silu")


@dataclass(frozen=True)
class Epilogue:
    """store(r, n, f(acc + bias[n]) + residual[r, n]) for the elements of a tile, called with its first row and column.

    Args:
        body: Kernel under construction.
        acc: The sums, rows x lanes.
        height: Rows of a tile.
        width: Lanes of a tile that are stored.
        store: store(row, column, value) writes one float32 value to the output.
        bias: A vector over columns, or None.
        z: With an activation, what it was taken of goes there.
        activation: One of `ACTIVATIONS`, or None.
        residual: A matrix of the shape of the output, or None.
    """

    body: Body
    acc: UOp
    height: int
    width: int
    store: Callable[[UOp, UOp, UOp], None]
    bias: UOp | None
    z: UOp | None
    activation: str | None
    residual: UOp | None

    def __call__(self, r0: UOp, n0: UOp) -> None:
        """Finish the tile whose first element is (r0, n0)."""
        body, acc, residual = self.body, self.acc, self.residual
        if (bias := self.bias) is not None:
            with body.loops(self.height, self.width) as (i, j):
                body.write(acc, (i, j), body.read(acc, i, j) + bias[n0 + j].cast(dtypes.float32))
        if (z := self.z) is not None:
            with body.loops(self.height, self.width) as (i, j):
                body.write(z, (r0 + i, n0 + j), body.read(acc, i, j).cast(z.dtype))
        with body.loops(self.height, self.width) as (i, j):
            value = activate(self.activation, body.read(acc, i, j))
            if residual is not None:
                value = value + element(residual, r0 + i, n0 + j).cast(dtypes.float32)
            self.store(r0 + i, n0 + j, value)


def activate(name: str | None, x: UOp) -> UOp:
    """The activation of one element.

    gelu(x) = x / (1 + exp(-2 u)),  u = sqrt(2 / pi) (x + 0.044715 x^3), the tanh form; exp through 2^-|y| on lanes.
    gelu_erf(x) = x Phi(x),  silu(x) = x / (1 + exp(-x)).
    """
    if name is None:
        return x
    if name == "relu":
        return x.maximum(0.0)
    return x * {"gelu": _gate, "gelu_erf": _normal, "silu": _logistic}[name](x)


def slope(name: str, x: UOp) -> UOp:
    """The derivative of the activation: of gelu, g + x g (1 - g) 2 u', with g = 1 / (1 + exp(-2 u)); of gelu_erf
    Phi + x phi; of silu, g + x g (1 - g), with g = 1 / (1 + exp(-x))."""
    if name == "relu":
        return ((x > 0) | is_nan(x)).where(UOp.const(1.0, dtypes.float32), 0.0)
    if name == "gelu_erf":
        return _normal(x) + x * DENSITY * exp2(x * x * (-0.5 * LOG2E))
    if name == "silu":
        g = _logistic(x)
        return g + x * g * (1 - g)
    g = _gate(x)
    return g + x * g * (1 - g) * ((2 * GELU_SCALE) * (1 + (3 * GELU_CUBE) * x * x))


def _gate(x: UOp) -> UOp:
    """1 / (1 + exp(-2 u)) of gelu."""
    return _of_power((x + GELU_CUBE * x * x * x) * (2 * GELU_SCALE * LOG2E))


def _logistic(x: UOp) -> UOp:
    """1 / (1 + exp(-x))."""
    return _of_power(x * LOG2E)


def _of_power(y: UOp) -> UOp:
    """1 / (1 + 2^-y), through 2^-|y|."""
    small = exp2((y > 0).where(-y, y))
    return (y > 0).where(UOp.const(1.0, dtypes.float32), small) / (1 + small)


def _normal(x: UOp) -> UOp:
    """The normal distribution function Phi, to an absolute error of 1e-7.

    Source: Abramowitz and Stegun 1964, 7.1.26.
    """
    size = (x > 0).where(x, -x)
    t = 1 / (1 + (ERF[0] * ROOT_HALF) * size)
    p = t * ERF[1] + ERF[2]
    for coefficient in ERF[3:]:
        p = p * t + coefficient
    tail = 0.5 * p * t * exp2(x * x * (-0.5 * LOG2E))
    return (x > 0).where(1 - tail, tail)
