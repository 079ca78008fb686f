"""Rotation of channel pairs, applied where rows are laid out for a kernel and taken back where gradients leave it.

    (x, y) -> (x cos - y sin, x sin + y cos)        back: the same with -sin

cos and sin come as tensors (1 or b, rows, channels / 2); pair c is (c, c + channels / 2), or (2c, 2c + 1) interleaved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tinygrad import UOp

from gattn_tg.kernels.tiles.body import Body, element

Load = Callable[[UOp, UOp], UOp]
Store = Callable[[UOp, UOp, UOp], None]
OPERANDS = ("cos_q", "sin_q", "cos_k", "sin_k")


@dataclass(frozen=True)
class Rotation:
    """The static part of a rotation.

    Args:
        channels: channels that turn, an even number; the others pass. 0: none turns.
        is_interleaved: neighbouring channels are a pair.
    """

    channels: int = 0
    is_interleaved: bool = False

    @property
    def operands(self) -> tuple[str, ...]:
        """Names of the tensors it reads, in the order in which a kernel takes them."""
        return OPERANDS if self.channels else ()

    @property
    def name(self) -> str:
        """The part of a kernel's name that tells rotations apart."""
        return f"_rope{self.channels}{'i' * self.is_interleaved}" if self.channels else ""

    def pair(self, c: UOp) -> tuple[UOp, UOp]:
        """The two channels of pair c."""
        return (c * 2, c * 2 + 1) if self.is_interleaved else (c, c + self.channels // 2)


class Turn:
    """A rotation by given angles inside one kernel.

    Args:
        body: the kernel under construction.
        rotation: the static part.
        cos, sin: the angles of the rows to be turned; None where nothing turns.
        b: batch row.
    """

    def __init__(self, body: Body, rotation: Rotation, cos: UOp | None, sin: UOp | None, b: UOp) -> None:
        self.body, self.rotation, self.cos, self.sin, self.b = body, rotation, cos, sin, b
        self._kept = body.array(1) if rotation.channels else None

    def lay_out(
        self, rows: int, width: int, row: Callable[[UOp], UOp], load: Load, store: Store, by_channel: bool = False
    ) -> None:
        """store(i, x) = turned load(i, x) for rows x width elements; row(i) is the row whose angle counts.

        The memory stored to must not be the one loaded from. `by_channel` walks down the columns, the better order
        where neighbours in memory are rows of one channel.
        """
        channels = self.rotation.channels
        if channels:
            with self._grid(rows, channels // 2, by_channel) as (i, c):
                x, y = self.rotation.pair(c)
                cos, sin = self._angle(row(i), c)
                store(i, x, load(i, x) * cos - load(i, y) * sin)
                store(i, y, load(i, x) * sin + load(i, y) * cos)
        if width > channels:
            with self._grid(rows, width - channels, by_channel) as (i, x):
                store(i, x + channels, load(i, x + channels))

    @contextmanager
    def _grid(self, rows: int, width: int, by_channel: bool) -> Iterator[tuple[UOp, UOp]]:
        if by_channel:
            with self.body.loops(width, rows) as (x, i):
                yield i, x
        else:
            with self.body.loops(rows, width) as (i, x):
                yield i, x

    def take_back(self, rows: int, width: int, row: Callable[[UOp], UOp], load: Load, store: Store) -> None:
        """store(i, x) = load(i, x) turned back; may be in place."""
        channels = self.rotation.channels
        if self._kept is not None:
            with self.body.loops(rows, channels // 2) as (i, c):
                x, y = self.rotation.pair(c)
                cos, sin = self._angle(row(i), c)
                self.body.write(self._kept, (0,), load(i, x) * cos + load(i, y) * sin)
                store(i, y, load(i, y) * cos - load(i, x) * sin)
                store(i, x, self.body.read(self._kept, 0))
        if width > channels:
            with self.body.loops(rows, width - channels) as (i, x):
                store(i, x + channels, load(i, x + channels))

    def _angle(self, row: UOp, c: UOp) -> tuple[UOp, UOp]:
        assert self.cos is not None
        assert self.sin is not None
        b = self.b if self.cos.shape[0] > 1 else 0
        return element(self.cos, b, row, c), element(self.sin, b, row, c)
