"""Rotary position embedding with exact angles for genomic coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import ConfigError
from gattn_tg.ops import constants
from gattn_tg.types import Float, Int

# Taylor series of sin(2 pi x) for |x| <= 1/4 up to x**13: the first term left out is 6.7e-10.
_SIN_TURNS = [(-1) ** i * (2 * math.pi) ** (2 * i + 1) / math.factorial(2 * i + 1) for i in range(7)]

SLOW, FAST = 1, 32  # turns within the context of training: YaRN's alpha and beta


@dataclass(frozen=True)
class Rope:
    """Rotary positions: channel pair c of a token at position p turns by p * theta'**(-2c/rotary_dim).

    Args:
        theta: base of the geometric series of wavelengths.
        rotary_dim: channels that turn (even, at most the head width); None turns all of them.
        interleaved: pair channels (2c, 2c+1) instead of (c, c + rotary_dim/2), the half-split (NeoX) default.
        linear_scale: positions are divided by it (position interpolation for contexts beyond training).
        ntk_scale: theta' = theta * ntk_scale**(rotary_dim/(rotary_dim-2)), which leaves short wavelengths alone.
        yarn_scale: s of YaRN. Pairs that turned less than once in training turn s times slower, those that turned more
            than 32 times as before, others in between; turned q and k grow by 0.1 ln s + 1.
        yarn_context: positions of the sequences of training, which YaRN must know.

    Numerics: the angle in turns is the product of the integer position and a 64-bit fixed-point frequency, modulo
    2**64, so whole turns drop out exactly. Up to position 1,000,000 the rotation is within 1e-6 of float64; only
    differences of positions matter, whatever the offset.

    Source: Su et al. 2021, RoFormer, eq. 34; NTK scaling as in Peng et al. 2023, YaRN, section 3.1; YaRN sections 3.2
        and 3.4, with alpha = 1, beta = 32.
    """

    theta: float = 10_000.0
    rotary_dim: int | None = None
    interleaved: bool = False
    linear_scale: float = 1.0
    ntk_scale: float = 1.0
    yarn_scale: float = 1.0
    yarn_context: int = 1

    def __post_init__(self) -> None:
        for name in ("theta", "linear_scale", "ntk_scale", "yarn_scale", "yarn_context"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"Rope {name}: expected a positive number, got {value}; the default is "
                                  f"{Rope.__dataclass_fields__[name].default}")
        if self.rotary_dim is not None and (self.rotary_dim < 2 or self.rotary_dim % 2):
            raise ConfigError(f"Rope rotary_dim: expected an even number >= 2, got {self.rotary_dim}; "
                              "channels turn in pairs")

    def width(self, head_width: int) -> int:
        """Channels that turn in a head of this width."""
        width = head_width if self.rotary_dim is None else self.rotary_dim
        if width > head_width or width % 2:
            raise ConfigError(f"Rope rotary_dim: expected an even number up to the head width {head_width}, got "
                              f"{width}; set rotary_dim or change the head width")
        return width

    def frequencies(self, head_width: int) -> np.ndarray:
        """Radians per position of every channel pair: float64 [rotary_dim/2]."""
        width = self.width(head_width)
        theta = self.theta if width == 2 else self.theta * self.ntk_scale ** (width / (width - 2))
        found = theta ** (-np.arange(0, width, 2, dtype=np.float64) / width) / self.linear_scale
        if self.yarn_scale != 1.0:
            turns = self.yarn_context * found / (2 * math.pi)
            kept = np.clip((turns - SLOW) / (FAST - SLOW), 0.0, 1.0)
            found = found * (kept + (1 - kept) / self.yarn_scale)
        return found

    @property
    def gain(self) -> float:
        """What turned queries and keys are multiplied by."""
        return 0.1 * math.log(self.yarn_scale) + 1.0


@constants.on_device
def _steps(rope: Rope, head_width: int) -> np.ndarray:
    """Turns per position as 64-bit fixed point, uint64 [rotary_dim/2]; kept so that every layer shares one buffer."""
    turns = rope.frequencies(head_width) / (2 * math.pi)
    return np.array([round(t * 2.0**64) % 2**64 for t in turns.tolist()], dtype=np.uint64)


def _sin_turns(x: Tensor) -> Tensor:
    """sin(2 pi x) for -1/2 <= x < 1/2, absolute error below 2e-7."""
    x = (x > 0.25).where(0.5 - x, (x < -0.25).where(-0.5 - x, x))
    square = x * x
    total = square * _SIN_TURNS[-1] + _SIN_TURNS[-2]
    for coefficient in reversed(_SIN_TURNS[:-2]):
        total = total * square + coefficient
    return total * x


def cos_sin(
    rope: Rope, head_width: int, positions: Int[Tensor, "b n"], device: str | tuple[str, ...]
) -> tuple[Float[Tensor, "b n c"], Float[Tensor, "b n c"]]:
    """Cosine and sine of every rotation angle times `rope.gain`, float32, c = rotary_dim/2; positions may be negative.

    `device` is where they are needed: default positions are an arange, which lives nowhere.
    """
    # two's complement makes negative positions come out right modulo one turn
    phase = positions.cast(dtypes.int64).cast(dtypes.uint64).unsqueeze(-1) * _steps(device)(rope, head_width)

    def turns(phase: Tensor) -> Tensor:
        top = phase.rshift(40).cast(dtypes.int32)
        return (top >= 2**23).where(top - 2**24, top).cast(dtypes.float32) * 2.0**-24

    cos, sin = _sin_turns(turns(phase + 2**62)), _sin_turns(turns(phase))
    if rope.gain != 1.0:
        cos, sin = cos * rope.gain, sin * rope.gain
    return cos.contiguous(), sin.contiguous()


def rotate(
    x: Float[Tensor, "b h n d"], cos: Float[Tensor, "b n c"], sin: Float[Tensor, "b n c"], interleaved: bool
) -> Float[Tensor, "b h n d"]:
    """Turn the first 2c channels of x by the given angles, in float32, back in the dtype of x."""
    c = cos.shape[-1]
    turning, rest = x[..., : 2 * c], x[..., 2 * c :]
    b, h, n, _ = x.shape
    pairs = turning.reshape(b, h, n, c, 2) if interleaved else turning.reshape(b, h, n, 2, c).transpose(-1, -2)
    even, odd = pairs[..., 0].cast(dtypes.float32), pairs[..., 1].cast(dtypes.float32)
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    turned = (even * cos - odd * sin).stack(even * sin + odd * cos, dim=-1 if interleaved else -2)
    turned = turned.reshape(b, h, n, 2 * c).cast(x.dtype)
    return turned if rest.shape[-1] == 0 else turned.cat(rest, dim=-1)
