"""Sums of weights over the words of sequences: what a linear model on counts of words says."""

from __future__ import annotations

import math

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ShapeError
from gattn_tg.ops.launch import on_one_cpu
from gattn_tg.ops.lookup import rows_of
from gattn_tg.types import Float, Int


def word_sums(table: Float[Tensor, "g v o"], words: Int[Tensor, "b n g"]) -> Float[Tensor, "b o"]:
    """y[b] = sum over n and g of table[g, words[b, n, g]], differentiable in the table.

    Args:
        table: One table of v rows for each of g sorts of words; v is a square number.
        words: Rows, or -1 where there is no word.

    Raises:
        ShapeError: Tables that do not fit the words.

    Numerics: sums in float32 in a fixed order. On one CPU rows are looked up, and the gradient adds rows up. Other
        devices count words as products of one-hot vectors of their upper and lower half, so nothing is gathered or
        scattered; a weight that is nan then reaches every sequence.
    """
    fits = table.ndim == words.ndim == 3 and words.shape[2] == table.shape[0]
    if not fits or math.isqrt(table.shape[1]) ** 2 != table.shape[1]:
        raise ShapeError(f"word_sums: expected tables (g, v, o) with a square number v and words (b, n, g), got "
                         f"{table.shape} and {words.shape}; give one table for each sort of words")
    sorts, v, n_out = table.shape
    if on_one_cpu(table) and on_one_cpu(words):
        is_word = words >= 0
        rows = is_word.where(words, 0) + Tensor.arange(sorts, dtype=dtypes.int32) * v
        found = rows_of(table.reshape(sorts * v, n_out), rows).float()
        return is_word.unsqueeze(-1).where(found, 0.0).sum((1, 2))
    half = math.isqrt(v)
    ids = words.permute(0, 2, 1).unsqueeze(-1)  # b g n 1; -1 has no place in either vector
    upper, lower = (at == Tensor.arange(half, dtype=dtypes.int32) for at in (ids // half, ids % half))
    upper = upper & (ids >= 0)
    counts = upper.float().transpose(-1, -2).matmul(lower.float(), dtype=dtypes.float32)  # b g half half
    return counts.reshape(words.shape[0], sorts * v).matmul(table.reshape(sorts * v, n_out), dtype=dtypes.float32)
