"""Maps whose outputs see their neighbours, such as convolutions, along a long sequence piece by piece.

    piece of y  =  run(its rows of x, and `halo` more at both ends), without what the halo made
    backward:  dx of a piece and of its halo, each computed again from x;  where pieces overlap, dx is their sum

Only x and y are whole in memory; what is inside of `run`, and its cotangents, are there for one piece at a time.

Numerics: y has the bits of the whole, as pieces are long enough for the same kernels. Gradients of weights are sums
over pieces of sums over rows, and dx near an edge is a sum of two: last bits differ. Two runs have the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tinygrad import Tensor, dtypes

from gattn_tg.ops import recompute
from gattn_tg.ops.launch import on_one_cpu
from gattn_tg.ops.recompute import Sums, forgets, in_memory, joined, now, rows_in_memory
from gattn_tg.types import Float

# Of a piece, and of sequences that are cut: 64 MiB for 128 channels. Smaller pieces take longer to capture, and shorter
# sequences run faster whole, as many as there are in a batch.
ROWS = 131_072


def along(
    run: Callable[..., Tensor], x: Tensor, *beside: Tensor, halo: int, rate: int = 1
) -> Float[Tensor, "b n/rate o"]:
    """run(x, *beside): piece by piece where the sequence is long and nothing inside is to be kept; else one block.

    Args:
        run: from inputs (b, n, ...) to (b, n / rate, o), the same everywhere along the sequence but for zeros beyond
            its ends; it draws no dropout.
        x: (b, n, ...); where it is not of floats it has no gradient, and only what is long makes a block.
        beside: (b, n, ...) too, without gradients.
        halo: rows of x on each side that an output sees, rounded up to a multiple of rate.
        rate: rows of x for one of the output; n is a multiple of it.
    """
    b, n = x.shape[:2]
    if n <= ROWS or not (forgets() or now() is not None) or not on_one_cpu(x):
        return recompute.block(run, x, *beside) if dtypes.is_float(x.dtype) else run(x, *beside)
    stages = now()
    whole = x if stages is None or not dtypes.is_float(x.dtype) else stages.entered(x)
    inputs = in_memory(*(given.contiguous() for given in (whole, *beside)))
    pieces = _pieces(b, n, -(-halo // rate) * rate, rate)
    made = joined([in_memory(piece.of(run, piece.given(inputs)).contiguous())[0] for piece in pieces])
    if stages is not None:
        stages.done.append(_Along(run, inputs, pieces, made))
    return made


@dataclass(frozen=True)
class _Piece:
    """Rows first ... last of x, and the halo around them, from `start` to `stop`."""

    first: int
    last: int
    start: int
    stop: int
    rate: int

    @property
    def out(self) -> slice:
        """Its rows of the output."""
        return slice(self.first // self.rate, self.last // self.rate)

    def given(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Its rows of the inputs with the halo, in memory of their own."""
        return tuple(rows_in_memory(x, slice(self.start, self.stop)) for x in inputs)

    def of(self, run: Callable[..., Tensor], given: Sequence[Tensor]) -> Tensor:
        """Its rows of the output."""
        skipped = (self.first - self.start) // self.rate
        return run(*given)[:, skipped : skipped + (self.last - self.first) // self.rate]


def _pieces(b: int, n: int, halo: int, rate: int) -> list[_Piece]:
    """Of b sequences of n rows."""
    return [_Piece(x.start, x.stop, max(x.start - halo, 0), min(x.stop + halo, n), rate)
            for x in cuts(b, n, ROWS, rate)]  # fmt: skip


def cuts(b: int, n: int, rows: int, rate: int = 1) -> list[slice]:
    """The places of pieces of b sequences of n rows, of `rows` in all at most; they differ by `rate` rows at most.

    A short one at the end would be multiplied by other kernels, whose sums have another order (`ops.linear.SMALL`).
    """
    count = min(-(-n // max(rows // b, 1)), n // rate)
    edges = [n // rate * i // count * rate for i in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(edges)]


@dataclass(frozen=True)
class _Along:
    """What ran, as a stage of `ops.recompute`: inputs and output in memory."""

    run: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    pieces: list[_Piece]
    made: Tensor

    def back(self, sums: Sums, slope: Tensor) -> Any:
        learns, found = dtypes.is_float(self.inputs[0].dtype), []
        for piece in self.pieces:
            given = piece.given(self.inputs)
            dy = rows_in_memory(slope, piece.out)
            found.append(sums.back(piece.of(self.run, given), dy, *given[:1] if learns else ()))
        return _summed(self.pieces, [dx for (dx,) in found]) if learns else None


def _summed(pieces: Sequence[_Piece], slopes: Sequence[Tensor]) -> Tensor:
    """dx of all rows: what a piece gives to its own, and what its neighbours' halos give to them."""
    rows: list[Tensor] = []
    for i, (piece, dx) in enumerate(zip(pieces, slopes, strict=True)):
        own = dx[:, piece.first - piece.start : piece.last - piece.start]
        if i > 0:  # the halo behind the piece before
            own = _added(own, slopes[i - 1][:, pieces[i - 1].last - pieces[i - 1].start :], before=0)
        if i + 1 < len(pieces):  # the halo in front of the next one
            ahead = slopes[i + 1][:, : pieces[i + 1].first - pieces[i + 1].start]
            own = _added(own, ahead, before=own.shape[1] - ahead.shape[1])
        rows += in_memory(own.contiguous())
    return joined(rows)


def _added(x: Tensor, y: Tensor, before: int) -> Tensor:
    """x, with y added to the rows from `before` on."""
    behind = x.shape[1] - before - y.shape[1]
    return x + y.pad(((0, 0), (before, behind), (0, 0)))
