"""Tabix indexes of sorted BED and VCF files, so that `tabix` and genome browsers read any region of a packed file.

Source: the tabix specification of samtools; Kent et al. 2002, Genome Research 12:996, for the bins.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np

from gattn_tg.errors import CoordinateError
from gattn_tg.io.bgzf import BLOCK_BYTES, BgzfWriter, block_starts
from gattn_tg.types import Int

MAX_END = 1 << 29
"""Bases of a contig that the bins reach; longer ones need the CSI format, which this does not write."""
WINDOW_SHIFT = 14
"""The linear index and the smallest bins have windows of 2**14 bases."""
LEVELS = ((WINDOW_SHIFT, 4681), (17, 585), (20, 73), (23, 9), (26, 1))
"""(log2 of the bases, number of the first bin) of each size of bins, the smallest first; bin 0 is all."""
BED_COLUMNS = (0x10000, 1, 2, 3, ord("#"), 0)
"""0-based half-open; columns of contig, start and end; the letter of comments; lines to skip."""
VCF_COLUMNS = (2, 1, 2, 0, ord("#"), 0)
"""VCF, whose end follows from the alleles."""


class _Contig:
    def __init__(self) -> None:
        self.chunks: dict[int, list[tuple[int, int]]] = {}  # bin -> (first byte, byte after) of the text
        self.windows = np.zeros(0, dtype=np.int64)  # first byte of the first line that reaches into each window


class TabixIndex:
    """An index made while the lines are written.

    `add` is called with the lines as they come, sorted by start within a contig, the contigs one after the other.

    Args:
        columns: of the format: `BED_COLUMNS` or `VCF_COLUMNS`.
    """

    def __init__(self, columns: tuple[int, ...] = BED_COLUMNS) -> None:
        self._columns = columns
        self._contigs: dict[str, _Contig] = {}
        self._at = 0

    def skip(self, n_bytes: int) -> None:
        """Take note of text without lines of the table: a header."""
        self._at += n_bytes

    def add(
        self, chrom: str, starts: Int[np.ndarray, "k"], ends: Int[np.ndarray, "k"], n_bytes: Int[np.ndarray, "k"]
    ) -> None:
        """Take note of lines.

        Args:
            chrom: contig of all of them.
            starts: 0-based.
            ends: half-open.
            n_bytes: length of each line, its end included.

        Raises:
            CoordinateError: an end past 2**29 bases.
        """
        if not len(starts):
            return
        if ends.max() > MAX_END:
            raise CoordinateError(
                f"tabix index, {chrom}: expected an end of at most {MAX_END:,}, got {ends.max():,}; leave the index out"
            )
        contig = self._contigs.setdefault(chrom, _Contig())
        bytes_from = self._at + np.concatenate([[0], np.cumsum(n_bytes)])
        self._at = int(bytes_from[-1])
        bins = _bins(starts, ends)
        edges = [0, *(np.flatnonzero(np.diff(bins)) + 1).tolist(), len(bins)]
        for first, after in pairwise(edges):
            chunks = contig.chunks.setdefault(int(bins[first]), [])
            begin, end = int(bytes_from[first]), int(bytes_from[after])
            if chunks and chunks[-1][1] == begin:
                begin = chunks.pop()[0]
            chunks.append((begin, end))
        first_window, last_window = starts >> WINDOW_SHIFT, (ends - 1) >> WINDOW_SHIFT
        missing = int(last_window.max()) + 1 - len(contig.windows)
        if missing > 0:
            contig.windows = np.concatenate([contig.windows, np.full(missing, -1, dtype=np.int64)])
        for more in range(int((last_window - first_window).max()), -1, -1):
            reach = np.flatnonzero(last_window - first_window >= more)[::-1]  # the last assignment is the first line's
            window, at = first_window[reach] + more, bytes_from[reach]
            held = contig.windows[window]
            better = (held < 0) | (at < held)
            contig.windows[window[better]] = at[better]

    def write(self, path: Path, packed: Path) -> None:
        """Write the index.

        Args:
            path: the new file.
            packed: the lines as `BgzfWriter` packed them.
        """
        blocks = np.array(block_starts(packed), dtype=np.uint64)

        def virtual(at: np.ndarray) -> np.ndarray:
            offsets: np.ndarray = blocks[at // BLOCK_BYTES] << np.uint64(16) | (at % BLOCK_BYTES).astype(np.uint64)
            return offsets

        names = b"".join(name.encode() + b"\0" for name in self._contigs)
        with path.open("xb") as raw, BgzfWriter(raw) as file:
            file.write(b"TBI\1" + struct.pack("<8i", len(self._contigs), *self._columns, len(names)) + names)
            for contig in self._contigs.values():
                file.write(struct.pack("<i", len(contig.chunks)))
                for number, chunks in sorted(contig.chunks.items()):
                    file.write(struct.pack("<Ii", number, len(chunks)))
                    file.write(virtual(np.array(chunks)).astype("<u8").tobytes())
                # a window without a line of its own begins where the one before does
                filled = np.maximum.accumulate(contig.windows)
                file.write(struct.pack("<i", len(filled)))
                file.write(virtual(np.maximum(filled, 0)).astype("<u8").tobytes())


def _bins(starts: Int[np.ndarray, "k"], ends: Int[np.ndarray, "k"]) -> Int[np.ndarray, "k"]:
    """Return for every interval the smallest bin that holds it whole."""
    bins = np.zeros(len(starts), dtype=np.int64)
    for shift, first in reversed(LEVELS):
        inside = starts >> shift == (ends - 1) >> shift
        bins[inside] = first + (starts[inside] >> shift)
    return bins
