"""Activations as tensor operations that the CPU device turns into vector code, on any device.

tinygrad's own exp2 keeps nan and infinity apart with selects on every lane, which clang does not vectorise; the
exponential of a number that is not positive needs none of that.
"""

from __future__ import annotations

from tinygrad import Tensor, dtypes

from gattn_tg.kernels.tiles.epilogue import GELU_CUBE, GELU_SCALE, LOG2E, ROOT_HALF
from gattn_tg.kernels.tiles.tile import EXP2
from gattn_tg.types import Float

QUICK = 1.702  # Hendrycks and Gimpel 2016, Gaussian Error Linear Units, section 2


def exp2_nonpositive(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """2**x for x <= 0, about 1 ulp in float32; 0 below -126.5, also for x = -inf."""
    x = (x < -127.0).where(-127.0, x)  # not a maximum, which hides the gradient of nan
    # truncation of x - 0.5 rounds x <= 0 to the nearest integer; detached, because tinygrad passes gradients through
    # integers, cut to whole numbers: nothing below 1, something wrong above
    whole = (x.detach() - 0.5).cast(dtypes.int32)
    part = x - whole.cast(dtypes.float32)
    p = part * EXP2[0] + EXP2[1]
    for coefficient in EXP2[2:]:
        p = p * part + coefficient
    return p * ((whole + 127) * (1 << 23)).bitcast(dtypes.float32)


def sigmoid_of(y: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """1 / (1 + 2**-y) in float32, without overflow."""
    small = exp2_nonpositive((y > 0).where(-y, y))
    return (y > 0).where(1.0, small) / (1 + small)


def sigmoid(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """1 / (1 + exp(-x)) in float32, without overflow."""
    return sigmoid_of(x.cast(dtypes.float32) * LOG2E)


def gelu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3): the tanh form of x Phi(x)."""
    wide = x.cast(dtypes.float32)
    return (wide * sigmoid_of(_doubled(wide))).cast(x.dtype)


def gelu_erf(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """x Phi(x), the exact form."""
    wide = x.cast(dtypes.float32)
    return (wide * 0.5 * (1 + (wide * ROOT_HALF).erf())).cast(x.dtype)


def gelu_quick(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """x / (1 + exp(-1.702 x)), the form of GELU that Enformer has."""
    wide = x.cast(dtypes.float32)
    return (wide * sigmoid(wide * QUICK)).cast(x.dtype)


def silu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """x / (1 + exp(-x))."""
    wide = x.cast(dtypes.float32)
    return (wide * sigmoid(wide)).cast(x.dtype)


def relu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """max(x, 0); nan stays."""
    return ((x > 0) | x.isnan()).where(x, 0.0)


def _doubled(x: Tensor) -> Tensor:
    """2 u / ln 2, the exponent of gelu to base 2."""
    return (x + GELU_CUBE * x * x * x) * (2 * GELU_SCALE * LOG2E)


FUNCTIONS = {"gelu": gelu, "gelu_erf": gelu_erf, "relu": relu, "silu": silu}
