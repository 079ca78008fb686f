"""Intervals: a stretch of a contig, 0-based and half-open, with a strand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gattn_tg.errors import CoordinateError

STRANDS = ("+", "-", ".")
MAX_DIGITS = 12  # of a place that is read: more than any genome needs
_TEXT = re.compile(r"(?P<chrom>.+):(?P<start>[0-9][0-9,]*)-(?P<end>[0-9][0-9,]*)(?::(?P<strand>[-+.]))?")


@dataclass(frozen=True, order=True, slots=True)
class Interval:
    """A stretch of a contig.

    Args:
        chrom: name of the contig.
        start: first base, counted from 0; negative only where a window reaches over the start of its contig.
        end: base after the last one.
        strand: "+", "-" or "." when it has none.

    Raises:
        CoordinateError: start after end, no name, or another strand.

    Example:
        >>> Interval.parse("chr7:117,559,590-117,559,600").resize(4)
        Interval(chrom='chr7', start=117559593, end=117559597, strand='.')
    """

    chrom: str
    start: int
    end: int
    strand: str = "."

    def __post_init__(self) -> None:
        if not self.chrom or self.start > self.end or self.strand not in STRANDS:
            raise CoordinateError(
                "interval: expected a contig name, start <= end and strand + - or ., "
                f"got {self.chrom!r}, {self.start}, {self.end}, {self.strand!r}; "
                "bases count from 0 and the end is outside"
            )

    @classmethod
    def parse(cls, text: str, *, one_based: bool = False) -> Interval:
        """Read `chrom:start-end` or `chrom:start-end:strand`; commas in the numbers are ignored.

        Args:
            text: for example "chr7:117,559,590-117,559,600:+".
            one_based: the numbers count from 1 and the last one is inside, as genome browsers and samtools write them.

        Raises:
            CoordinateError: another form, or start after end.
        """
        match = _TEXT.fullmatch(text.strip())
        if not match or max(len(match[name].replace(",", "")) for name in ("start", "end")) > MAX_DIGITS:
            raise CoordinateError(
                f"interval: expected chrom:start-end, got {text[:80]!r}; "
                "for example chr7:117,559,590-117,559,600"
            )
        start, end = (int(match[name].replace(",", "")) for name in ("start", "end"))
        if one_based and start == 0:
            raise CoordinateError(
                f"interval: expected a start of at least 1 where bases count from 1, got {text!r}; "
                "is the interval 0-based?"
            )
        return cls(match["chrom"], start - one_based, end, match["strand"] or ".")

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start}-{self.end}" + ("" if self.strand == "." else f":{self.strand}")

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def centre(self) -> int:
        """The middle base; of two middle ones the right."""
        return (self.start + self.end) // 2

    def shift(self, bases: int) -> Interval:
        """Return the interval moved to the right, or to the left by a negative number."""
        return replace(self, start=self.start + bases, end=self.end + bases)

    def resize(self, width: int) -> Interval:
        """Return the interval of this width around the same middle; it may reach over the ends of the contig.

        An odd difference adds or takes its last base at the left.

        Raises:
            CoordinateError: a negative width.
        """
        if width < 0:
            raise CoordinateError(f"interval {self}: expected a width of at least 0, got {width}; correct it")
        start = self.centre - width // 2
        return replace(self, start=start, end=start + width)

    def clip(self, size: int) -> Interval:
        """Return the part that lies on a contig of `size` bases.

        Raises:
            CoordinateError: no base of the interval lies on the contig.
        """
        start, end = max(self.start, 0), min(self.end, size)
        if start > end or (start == end and len(self)):
            raise CoordinateError(
                f"interval {self}: expected a base on the contig of {size} bases, but it lies outside; "
                "is this another assembly?"
            )
        return replace(self, start=start, end=end)

    def tile(self, width: int, stride: int | None = None) -> Iterator[Interval]:
        """Yield windows of one width from left to right, each whole inside the interval.

        Args:
            width: bases of each window.
            stride: bases from one start to the next; the width when None, so that windows touch.

        Raises:
            CoordinateError: a width or stride that is not positive.
        """
        stride = width if stride is None else stride
        if width < 1 or stride < 1:
            raise CoordinateError(
                f"interval {self}: expected a width and stride of at least 1, got {width} and {stride}; "
                "correct them"
            )
        return (
            replace(self, start=start, end=start + width)
            for start in range(self.start, self.end - width + 1, stride)
        )

    def overlap(self, other: Interval) -> int:
        """Return the number of bases that lie in both; strands do not matter."""
        if self.chrom != other.chrom:
            return 0
        return max(0, min(self.end, other.end) - max(self.start, other.start))

    def intersect(self, other: Interval) -> Interval | None:
        """Return the bases that lie in both, with this interval's strand; None when there are none."""
        if not self.overlap(other):
            return None
        return replace(self, start=max(self.start, other.start), end=min(self.end, other.end))

    def contains(self, other: Interval) -> bool:
        """Whether the other interval lies inside this one."""
        return self.chrom == other.chrom and self.start <= other.start and other.end <= self.end
