"""The gradient of a score function's table: sums of ds over equal classes, in a fixed order, without atomics."""

from __future__ import annotations

from tinygrad import UOp, dtypes

from gattn_tg.kernels.tiles.score import BY_ROW, ScoreBody
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
        self.by_row = score.kind in BY_ROW
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
        t = scores.score.classes
        with body.loops(ROWS, LANES) as (i, j):
            row = (row0 + i).minimum(scores.n - 1)
            value = body.read(ds, i, j)
            a: UOp | int = 0 if scores.score.kind == "key" else scores.row_class(b, row)
            if scores.score.kind != "ordered":
                body.write(self.rows, (a, j), body.read(self.rows, a, j) + value)
            else:
                forth = scores.is_forth(b, row0 + i, first, j)
                known = forth.simplify()  # one key: it comes after every row, and the other half would add nothing,
                if known.vmax:  # a statement that stores what it reads, which tinygrad drops with all before it
                    body.write(self.rows, (a, j), body.read(self.rows, a, j) + forth.where(value, 0.0))
                if not known.vmin:
                    value = body.read(ds, i, j)
                    body.write(self.rows, (a + t, j), body.read(self.rows, a + t, j) + forth.where(0.0, value))

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
            key = scores.t["ids_k"][place[0], (first + j).minimum(scores.m - 1)].cast(dtypes.weakint)
            value = body.read(self.rows, a, j)
            if scores.pads:
                value = scores.is_inside(first, j).where(value, 0.0)
            if kind == "key":
                put(key, value)
            elif kind == "same":
                put(a, a.eq(key).where(value, 0.0))
            elif kind == "pair":
                put(a * t + key, value)
            else:
                put((a < t).where(a * t + key, key * t + (a - t)), value)
