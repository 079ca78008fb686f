"""Where the layers of a model look, exactly: queries and keys of every layer, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tinygrad import Tensor

from gattn_tg.explain.mass import motif_mass
from gattn_tg.models.trunk import Trunk
from gattn_tg.ops.attention.api import attention
from gattn_tg.types import Float, Int, UInt8

KEYS = 64  # whose attention is computed at once: one column of the values each


@dataclass(frozen=True)
class Layer:
    """What one layer attends with.

    Args:
        q, k: queries and keys of every head, before the rotation.
        ids: motif id of every token.
        options: bias, rope, masks: the rest of the arguments of `attention`.
    """

    q: Float[Tensor, "b h n d"]
    k: Float[Tensor, "b g n d"]
    ids: UInt8[Tensor, "b n"]
    options: dict[str, Any]

    def mass(self, n_motifs: int) -> Float[np.ndarray, "b h n t"]:
        """The share of attention that each query gives to keys of each motif, see `motif_mass`."""
        found: np.ndarray = motif_mass(self.q, self.k, self.ids, n_motifs, **self.options).numpy()
        return found

    def columns(self) -> Iterator[tuple[int, Float[np.ndarray, "b h n c"]]]:
        """The attention of all queries to keys first, first + 1, ... with `first`, a few keys at a time.

        An attention whose values are rows of the unit matrix gives its own probabilities, so memory grows with n and
        not with its square, whatever masks and bias the layer has.
        """
        b, g, n, _ = self.k.shape
        for first in range(0, n, KEYS):
            unit = np.eye(n, KEYS, -first, dtype=np.float32)
            v = Tensor(unit, device=self.k.device).cast(self.k.dtype).reshape(1, 1, n, KEYS).expand(b, g, n, KEYS)
            yield first, attention(self.q, self.k, v.contiguous(), **self.options).numpy()[..., : n - first]


def layers(
    model: Trunk, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]
) -> Iterator[Layer]:
    """The layers of a model with what they attend with, from the first to the last.

    Args:
        model: any model of the package, from a checkpoint or new.
        bases, motif_ids, lengths: as `Trunk.tokens` reads them.
    """
    x, ids = model.tokens(bases, motif_ids, lengths)
    within = model.token_lengths(bases, lengths)
    if within is not None and len(x) == 1:  # what stands behind the tokens of one sequence neither asks nor is asked
        x, ids = x[:, : (n := int(within.item()))].contiguous(), ids[:, :n].contiguous()
    anchors = model.anchors(ids, within)
    for block in model.blocks:
        layer, c = block.attention, block.attention.config
        q, k, _ = layer.heads(block.attended(x))
        options = {"bias": layer.bias(ids), "rope": c.rope, "is_causal": c.is_causal,
                   "window_size": c.window_size, "lengths": within, "impl": c.impl, "anchors": anchors,
                   **layer.of_distance(q)}  # fmt: skip
        yield Layer(q.contiguous().realize(), k.contiguous().realize(), ids, options)
        x = block(x, ids, within, anchors=anchors).contiguous().realize()


def distance_bins(n: int) -> Int[np.ndarray, "d"]:
    """First distance of each bin, for distances 0 to n - 1: 0, 1, 2, 4, 8, ..."""
    return np.array([0, *(2**i for i in range(max(n - 1, 0).bit_length()))])


@dataclass(frozen=True)
class Looks:
    """How one layer spreads its attention over a sequence; every number is a mean over queries.

    Args:
        share: of the attention of each head that falls on each motif; sums to 1.
        received: by each key, as a share of all attention of a head; sums to 1.
        distances: share of the attention of each head to keys at the distances of each of `distance_bins`; sums to 1.
    """

    share: Float[np.ndarray, "h t"]
    received: Float[np.ndarray, "h n"]
    distances: Float[np.ndarray, "h d"]


def looks(layer: Layer, n_motifs: int, first_query: int = 0) -> Looks:
    """How a layer looks at one sequence.

    Args:
        layer: with one row.
        n_motifs: motif ids, 0 included.
        first_query: tokens before it do not count as queries.
    """
    mass = layer.mass(n_motifs)[0, :, first_query:]
    _, h, n, _ = layer.q.shape
    starts = distance_bins(n)
    received, distances = np.zeros((h, n)), np.zeros((h, len(starts)))
    queries = np.arange(first_query, n)
    for first, p in layer.columns():
        here = p[0, :, first_query:].astype(np.float64)
        keys = np.arange(first, first + here.shape[2])
        received[:, keys] = here.mean(1)
        bins = np.searchsorted(starts, np.abs(queries[:, None] - keys), side="right") - 1
        for head in range(h):
            distances[head] += np.bincount(bins.ravel(), here[head].ravel(), len(starts)) / len(queries)
    return Looks(mass.astype(np.float64).mean(1), received, distances)
