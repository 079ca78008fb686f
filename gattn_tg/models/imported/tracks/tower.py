"""From bases to the tokens of Enformer and of Borzoi, and back up to the bins of Borzoi: convolutions, steps by two."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.imported.tracks.config import TracksShape
from gattn_tg.nn.affine import Affine
from gattn_tg.nn.convolution import Convolution
from gattn_tg.nn.depthwise import Depthwise
from gattn_tg.nn.halving import WeightedHalving
from gattn_tg.nn.linear import Linear
from gattn_tg.ops.activation import gelu, gelu_quick
from gattn_tg.ops.pooling import halved
from gattn_tg.types import Float

ACTIVATIONS = {"enformer": gelu_quick, "borzoi": gelu}
SPREAD = 3  # positions that the depthwise convolution behind a doubling sees


class Normed:
    """convolution(activation(norm(x))), where the norm is an `Affine`.

    Args:
        n_in: channels in.
        n_out: channels out.
        kernel: positions that one output sees (odd).
        form: of the model, which says the activation.
        rng: source of initial weights.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, form: str, rng: np.random.Generator) -> None:
        self.norm = Affine(n_in)
        self.convolution = Convolution(n_in, n_out, kernel, rng)
        self.form = form

    def __call__(self, x: Float[Tensor, "b n i"], residual: Float[Tensor, "b n o"] | None = None) -> Tensor:
        return self.convolution(ACTIVATIONS[self.form](self.norm(x)).contiguous(), residual=residual)


class EnformerStage:
    """x + mix(x) of what a convolution gives, then weighted means of every two positions."""

    def __init__(self, n_in: int, n_out: int, kernel: int, rng: np.random.Generator) -> None:
        self.widen = Normed(n_in, n_out, kernel, "enformer", rng)
        self.mix = Normed(n_out, n_out, 1, "enformer", rng)
        self.pool = WeightedHalving(n_out, rng)

    def __call__(self, x: Float[Tensor, "b n i"]) -> Float[Tensor, "b n/2 o"]:
        x = self.widen(x)
        return self.pool(self.mix(x, x))


class EnformerTower:
    """Stem and stages of Enformer; nothing goes around the attention."""

    def __init__(self, shape: TracksShape, rng: np.random.Generator) -> None:
        c = shape
        self.stem = Convolution(4, c.stem_width, c.stem_kernel, rng)
        self.mix = Normed(c.stem_width, c.stem_width, 1, "enformer", rng)
        self.pool = WeightedHalving(c.stem_width, rng)
        sizes = (c.stem_width, *c.stage_widths)
        self.stages = [EnformerStage(n_in, n_out, c.tower_kernel, rng) for n_in, n_out in pairwise(sizes)]

    def __call__(self, x: Float[Tensor, "b n 4"]) -> tuple[Float[Tensor, "b m w"], tuple[Tensor, ...]]:
        """Tokens, and what goes around the attention."""
        x = self.stem(x)
        x = self.pool(self.mix(x, x))
        for stage in self.stages:
            x = stage(x)
        return x, ()


class BorzoiTower:
    """Stem and stages of Borzoi, each with the larger of every two positions; its last two go around the attention."""

    def __init__(self, shape: TracksShape, rng: np.random.Generator) -> None:
        c = shape
        self.stem = Convolution(4, c.stem_width, c.stem_kernel, rng)
        sizes = (c.stem_width, *c.stage_widths)
        self.stages = [Normed(n_in, n_out, c.tower_kernel, "borzoi", rng) for n_in, n_out in pairwise(sizes)]

    def __call__(self, x: Float[Tensor, "b n 4"]) -> tuple[Float[Tensor, "b m w"], tuple[Tensor, ...]]:
        """Tokens, and what goes around the attention: vectors of four and of two times as many positions."""
        x, kept = self.stem(x), []
        for stage in self.stages:
            x = stage(halved(x))
            kept.append(x)
        return halved(x), tuple(kept[-2:])


class Rise:
    """Back to twice the positions: every vector twice, the sum with what went around, and a separable convolution."""

    def __init__(self, n_around: int, width: int, rng: np.random.Generator) -> None:
        self.across = Normed(n_around, width, 1, "borzoi", rng)
        self.before = Normed(width, width, 1, "borzoi", rng)
        self.each = Depthwise(width, SPREAD, rng)
        self.mix = Linear(width, width, rng)

    def __call__(self, x: Float[Tensor, "b n w"], around: Float[Tensor, "b 2n a"]) -> Float[Tensor, "b 2n w"]:
        b, n, w = (x := self.before(x)).shape
        twice = x.unsqueeze(2).expand(b, n, 2, w).reshape(b, 2 * n, w)
        return self.mix(self.each((twice + self.across(around)).contiguous()).contiguous())


class Rises:
    """The two doublings of Borzoi, from tokens to bins."""

    def __init__(self, shape: TracksShape, rng: np.random.Generator) -> None:
        c = shape
        self.first, self.second = (Rise(n_around, c.width, rng) for n_around in reversed(c.stage_widths[-2:]))

    def __call__(self, x: Float[Tensor, "b n w"], around: Sequence[Tensor]) -> Float[Tensor, "b 4n w"]:
        wide, narrow = around
        return self.second(self.first(x, narrow), wide)
