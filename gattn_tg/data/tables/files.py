"""How an encoded table lies on disk: which files a folder has, and which numbers stand in a row of `rows.bin`."""

from __future__ import annotations

from typing import Any

import numpy as np

BASES, MOTIFS, ROWS, HEADER = "bases.u8", "motifs.u8", "rows.bin", "table.json"
FILES = (BASES, MOTIFS, ROWS, HEADER)
VALUE = "<f8"


def row_type(n_values: int) -> np.dtype[Any]:
    """A row of `rows.bin`: length, digests, count of N, and its class, or as many numbers as columns were read.

    Args:
        n_values: columns of numbers; 0 for a class.
    """
    answer = ("values", VALUE, (n_values,)) if n_values else ("label", "<i4")
    return np.dtype([("sequence", "<u8"), ("content", "<u8"), ("length", "<i4"), ("unknown", "<i4"), answer])
