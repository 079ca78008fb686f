"""Rotary position embedding: `R(p)` turns every channel pair by an angle proportional to `p`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.types import Float, Int


@dataclass(frozen=True)
class Rope:
    """Describes the rotation; pair `c` turns by `p / linear_scale * theta' ** (-2 c / rotary_dim)` radians.

    Args:
        theta: Base of the wavelengths.
        rotary_dim: How many leading channels turn, even; None turns all of them.
        interleaved: Pairs are channels (2c, 2c+1) when true, (c, c + rotary_dim/2) when false.
        linear_scale: Divides every position (position interpolation).
        ntk_scale: Stretches the base: `theta' = theta * ntk_scale ** (rotary_dim / (rotary_dim - 2))`.
        yarn_scale: s; frequency f becomes `f (1 - r) / s + f r`, r rising from 0 to 1 while `yarn_context f / 2 pi`,
            turns within the context of training, rises from 1 to 32; and `R(p)` is multiplied by `0.1 ln s + 1`.
        yarn_context: positions of the sequences of training.

    Source: Su et al. 2021, RoFormer, equation 15; half-split pairs as in GPT-NeoX; Peng et al. 2023, YaRN,
        equations 17, 18 and 22.
    """

    theta: float = 10_000.0
    rotary_dim: int | None = None
    interleaved: bool = False
    linear_scale: float = 1.0
    ntk_scale: float = 1.0
    yarn_scale: float = 1.0
    yarn_context: int = 1


def angles(rope: Rope, head_width: int, positions: Int[np.ndarray, "b n"]) -> Float[np.ndarray, "b n c"]:
    """Gives the angle of every channel pair at every position, in radians.

    Raises:
        ConfigError: rotary_dim is odd, not positive, or wider than the head.
    """
    width = head_width if rope.rotary_dim is None else rope.rotary_dim
    if width % 2 or not 0 < width <= head_width:
        raise ConfigError(
            f"reference.rope rotary_dim: expected an even number in 2..{head_width}, got {width}; "
            "choose an even number no wider than the head"
        )
    # With a single pair the exponent of theta is zero, so the base, and ntk_scale with it, has no effect.
    stretch = rope.ntk_scale ** (width / (width - 2)) if width > 2 else 1.0
    pair = np.arange(width // 2)
    frequency = (rope.theta * stretch) ** (-2.0 * pair / width)
    if rope.yarn_scale != 1.0:
        turns = rope.yarn_context * frequency / rope.linear_scale / (2 * np.pi)
        ramp = np.minimum(np.maximum((turns - 1.0) / 31.0, 0.0), 1.0)
        frequency = frequency * (1.0 - ramp) / rope.yarn_scale + frequency * ramp
    return positions.astype(np.float64)[..., None] / rope.linear_scale * frequency


def rotate(
    x: Float[np.ndarray, "b h n d"],
    rope: Rope | None,
    positions: Int[np.ndarray, "b n"],
    inverse: bool = False,
) -> Float[np.ndarray, "b h n d"]:
    """Applies `R(p)` to every head, or its transpose `R(-p)`, which is also how gradients travel back."""
    if rope is None:
        return x
    angle = angles(rope, x.shape[-1], positions)[:, None]
    gain = 0.1 * np.log(rope.yarn_scale) + 1.0
    cos, sin = gain * np.cos(angle), gain * np.sin(angle) * (-1.0 if inverse else 1.0)
    half = angle.shape[-1]
    first, second = (
        (slice(0, 2 * half, 2), slice(1, 2 * half, 2)) if rope.interleaved else (slice(0, half), slice(half, 2 * half))
    )
    turned = x.copy()
    turned[..., first] = x[..., first] * cos - x[..., second] * sin
    turned[..., second] = x[..., first] * sin + x[..., second] * cos
    return turned
