"""Which places of a genome are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gattn_tg.seq.interval import Interval

BLOCK_BP = 16_384  # intervals are kept by blocks of the genome, so that a look-up is short


class Occupied:
    """Intervals, and whether another one overlaps any of them; strands do not matter.

    Args:
        intervals: taken from the start.
    """

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        self._by_block: dict[tuple[str, int], list[Interval]] = {}
        for interval in intervals:
            self.add(interval)

    def add(self, interval: Interval) -> None:
        """Take the place of an interval."""
        for block in _blocks(interval):
            self._by_block.setdefault(block, []).append(interval)

    def overlaps(self, interval: Interval) -> bool:
        """Return whether a base of the interval is taken."""
        return any(interval.overlap(other) for block in _blocks(interval) for other in self._by_block.get(block, ()))


def _blocks(interval: Interval) -> Iterator[tuple[str, int]]:
    for block in range(interval.start // BLOCK_BP, max(interval.end - 1, interval.start) // BLOCK_BP + 1):
        yield interval.chrom, block
