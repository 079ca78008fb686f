"""The gradient of a score function's table: sums of ds over equal classes, in a fixed order, without atomics."""

from __future__ import annotations

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.body import element
from gattn_tg.kernels.tiles.score import ScoreBody
from gattn_tg.kernels.tiles.tile import LANES, ROWS, ceildiv


class TableGradient:
    """Statements that collect the gradient of the table inside one kernel.

    Kinds that are laid out keep one row of lanes per class, `rows[a, j] = sum over i with id_i == a of ds[i, j]`, for
    one block of keys, then add its lanes to the table one after another. The others add element by element, each row of
    a tile in a histogram of its own so that the additions of neighbouring elements do not wait for each other.
    """

    def __init__(self, scores: ScoreBody) -> None:
        self.scores, self.body = scores, scores.body
        score = scores.score
        self.by_row = score.kind.is_by_row
        self.rows = self.body.array(
            score.panel_rows if self.by_row else ROWS, LANES if self.by_row else ceildiv(score.classes, 16) * 16
        )

    def clear(self) -> None:
        """Start a block of keys."""
        with self.body.loops(*self.rows.shape) as (a, j):
            self.body.write(self.rows, (a, j), 0.0)

    def add(self, ds: UOp, b: UOp, row0: UOp, first: UOp) -> None:
        """Add a tile, rows row0..row0+ROWS-1."""
        body, scores = self.body, self.scores
        if not self.by_row:
            with body.loops(LANES, ROWS) as (j, i):
                c = scores.class_of(b, row0 + i, first, j).cast(dtypes.weakint)
                value = body.read(ds, i, j)
                if scores.pads:
                    value = scores.is_inside(first, j).where(value, 0.0)  # a row that is nan makes nan of padding too
                body.write(self.rows, (i, c), body.read(self.rows, i, c) + value)
            return
        with body.loops(ROWS, LANES) as (i, j):
            for a, share in scores.score.kind.shares(scores, b, row0 + i, first, j):
                value = body.read(ds, i, j)
                body.write(self.rows, (a, j), body.read(self.rows, a, j) + share(value))

    def finish(self, table: UOp, place: tuple[UOp, ...], first: UOp) -> None:
        """Add the block of keys to `table[place]`, flat; place is (batch row, head, part)."""
        body, scores = self.body, self.scores
        t, kind = scores.score.classes, scores.score.kind

        def put(at: UOp, value: UOp) -> None:
            body.write(table, (*place, at), body.read(table, *place, at) + value)

        if not self.by_row:
            with body.loops(ROWS, t) as (i, c):
                put(c, body.read(self.rows, i, c))
            return
        with body.loops(scores.score.panel_rows, LANES) as (a, j):
            key = element(scores.t["ids_k"], place[0], (first + j).minimum(scores.m - 1)).cast(dtypes.weakint)
            value = body.read(self.rows, a, j)
            if scores.pads:
                value = scores.is_inside(first, j).where(value, 0.0)
            put(*kind.place(t, a, key, value))
