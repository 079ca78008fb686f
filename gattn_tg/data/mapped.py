"""Rows of ids in a file that is mapped: read, padded and checked when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.types import Int, UInt8


@dataclass(frozen=True)
class MappedRows:
    """Rows of different lengths that stand one after the other in a file; `rows[...]` gives some of them as an array.

    It stands where an array (N, width) of bytes stands, and takes slices and row numbers as one does. Only what is
    asked for is read, so a set may be larger than memory, and each of several processes reads its own rows.

    Args:
        path: the file, for messages.
        ids: all of it, mapped.
        starts: where each row begins.
        lengths: ids of each row.
        width: of the arrays that are given; rows are padded at the end.
        padding: what with.
        most: the largest id that means something.
    """

    path: Path
    ids: UInt8[np.ndarray, "t"]
    starts: Int[np.ndarray, "N"]
    lengths: Int[np.ndarray, "N"]
    width: int
    padding: int
    most: int

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and width."""
        return len(self.starts), self.width

    @property
    def ndim(self) -> int:
        """2, as of an array."""
        return 2

    def __getitem__(self, rows: slice | Int[np.ndarray, "k"]) -> UInt8[np.ndarray, "k n"]:
        """Some rows, copied into memory.

        Raises:
            FormatError: ids that mean nothing, since the file is damaged: they would be answered from other memory.
        """
        starts, lengths = self.starts[rows], self.lengths[rows]
        found = np.full((len(starts), self.width), self.padding, np.uint8)
        for row, start, length in zip(found, starts.tolist(), lengths.tolist(), strict=True):
            row[:length] = self.ids[start : start + length]
        if found.size and (odd := int(found.max())) > self.most:
            raise FormatError(f"{self.path}: expected ids from 0 to {self.most}, got {odd}; preprocess again")
        return found

    def select(self, rows: Int[np.ndarray, "k"]) -> MappedRows:
        """Some rows, which stay where they are."""
        return replace(self, starts=self.starts[rows], lengths=self.lengths[rows])
