"""Sums over the rows of a matrix, and rows looked up in a table: each is the gradient of the other."""

from __future__ import annotations

import functools
import math

from tinygrad import Tensor, dtypes

from gattn_tg.errors import ShapeError
from gattn_tg.kernels.dense.row_sums import scatter_rows
from gattn_tg.kernels.dense.rowwise import activation_back, chunks, look_up, row_sums
from gattn_tg.ops.launch import Output, launch, on_one_cpu
from gattn_tg.types import Float, Int

# Up to here every chunk of rows sums into a table of its own, which stays in the nearest caches; of a larger table
# there is one, and every core sums some of its columns.
LARGEST_TABLE = 64 * 1024  # float32


def column_sums(x: Float[Tensor, "m n"]) -> Float[Tensor, "n"]:
    """The sum of all rows in float32, without a gradient of its own."""
    if not on_one_cpu(x):
        return x.cast(dtypes.float32).sum(0)
    m, n = x.shape
    return added_up(launch(row_sums(has_ids=False), [Output((chunks(m), 1, n), dtypes.float32)], [x])[0])[0]


def activation_slopes(
    name: str, dy: Float[Tensor, "m n"], z: Float[Tensor, "m n"]
) -> tuple[Float[Tensor, "m n"], Float[Tensor, "n"]]:
    """dz = dy * f'(z) and the sum of its rows, for f of `ops.linear` on one CPU; without a gradient of its own."""
    m, n = dy.shape
    outputs = [Output((m, n), dy.dtype), Output((chunks(m), 1, n), dtypes.float32)]
    dz, sums = launch(_back(name), outputs, [dy, z])
    return dz, added_up(sums)[0]


def rows_of(table: Float[Tensor, "v w"], ids: Int[Tensor, "..."]) -> Float[Tensor, "... w"]:
    """table[ids], differentiable in the table.

    Args:
        table: One row per id.
        ids: Integers in 0..v-1, not checked: one CPU takes the nearest row for others, other devices zeros.

    Raises:
        ShapeError: The table is not a matrix.

    Numerics: the gradient is summed in float32 in a fixed order, without atomics.
    """
    if table.ndim != 2:
        raise ShapeError(f"rows_of: expected a table (v, w), got {table.shape}; reshape it")
    v, w = table.shape
    if not (on_one_cpu(table) and on_one_cpu(ids)):
        # selected, not multiplied by 0: a nan in one row of the table stays there
        is_row = ids.unsqueeze(-1).unsqueeze(-1) == Tensor.arange(v, dtype=ids.dtype).reshape(v, 1)
        return is_row.where(table, 0.0).sum(-2).cast(table.dtype)
    m = math.prod(ids.shape)

    def gradient(cotangents: list[Tensor], _: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
        table, ids = inputs
        if v * w > LARGEST_TABLE:
            summed = launch(scatter_rows, [Output((v, w), dtypes.float32)], [cotangents[0], ids])[0]
            return [summed.cast(table.dtype), None]
        sums = launch(row_sums(has_ids=True), [Output((chunks(m), v, w), dtypes.float32)], [cotangents[0], ids])[0]
        return [added_up(sums).cast(table.dtype), None]

    return launch(look_up, [Output((m, w), table.dtype)], [table, ids.reshape(m)], gradient)[0].reshape(*ids.shape, w)


def rows_at(x: Float[Tensor, "b n w"], places: Int[Tensor, "b p"]) -> Float[Tensor, "b p w"]:
    """x[b, places[b, i]], differentiable in x; x and places may be shared out over their rows.

    Args:
        x: One matrix per batch row.
        places: Integers in 0..n-1, not checked.
    """
    b, n, w = x.shape
    if not (on_one_cpu(x) and on_one_cpu(places)):
        # every device looks among its own rows; selected, as in `rows_of`
        is_here = places.cast(dtypes.int32).reshape(*places.shape, 1, 1) == Tensor.arange(n).reshape(n, 1)
        return is_here.where(x.unsqueeze(1), 0.0).sum(-2).cast(x.dtype)
    first = Tensor.arange(b, dtype=dtypes.int32).unsqueeze(1) * n
    return rows_of(x.reshape(b * n, w), places.cast(dtypes.int32) + first)


def added_up(sums: Float[Tensor, "chunks v w"]) -> Float[Tensor, "v w"]:
    """The sums of all chunks together."""
    pieces, v, w = sums.shape
    if pieces == 1:
        return sums[0]
    total = launch(row_sums(has_ids=False), [Output((1, 1, v * w), dtypes.float32)], [sums.reshape(pieces, v * w)])[0]
    return total.reshape(v, w)


_back = functools.cache(activation_back)
