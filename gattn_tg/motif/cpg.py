"""CpG dinucleotides."""

from __future__ import annotations

import numpy as np

from gattn_tg.motif.iupac import find_pattern
from gattn_tg.types import Int, UInt8


def cpg_sites(ids: UInt8[np.ndarray, "n"]) -> Int[np.ndarray, "k"]:
    """Return the position of the C of every CpG dinucleotide.

    Example:
        >>> from gattn_tg.seq import encode
        >>> cpg_sites(encode("ACGTCCGG")).tolist()
        [1, 5]
    """
    return find_pattern(ids, "CG")
