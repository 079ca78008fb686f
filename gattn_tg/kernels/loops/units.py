"""How a problem is cut into units of work; from shapes alone, so that results do not depend on the number of cores.

Only the number of runs that units are dealt out in does; each has scratch memory of its own.
"""

from __future__ import annotations

from gattn_tg.kernels.tiles.tile import LANES, ROWS, ceildiv
from gattn_tg.machine import threads
from gattn_tg.machine.sizes import panel_bytes

RUNS_PER_CORE = 8  # so that a core that was held up costs the others an eighth of its share
UNITS = 16  # units a large problem should give, so that up to that many cores are busy
PARTIAL_BYTES = 32 * 1024**2  # what partial sums of dq may take before fewer of them are made


def runs(units: int) -> int:
    """Runs that the units of a kernel are dealt out in; each is one call of its machine code."""
    return min(units, RUNS_PER_CORE * threads.count())


def query_rows(heads: int, n: int, width: int) -> int:
    """Rows of queries that walk over the keys together: many, to lay out each block of keys rarely.

    Args:
        heads: batch rows times query heads.
        n: queries per head.
        width: the larger of the head widths.
    """
    most = max(LANES, panel_bytes(width) // (4 * width) // ROWS * ROWS)
    pieces = max(ceildiv(n, most), min(ceildiv(UNITS, heads), ceildiv(n, LANES)))
    step = 2 * ROWS if n > ROWS else ROWS  # two tiles share a softmax
    return ceildiv(ceildiv(n, pieces), step) * step


def key_parts(groups: int, m: int, dq_bytes: int) -> int:
    """Parts that the keys of one head are dealt to in the backward pass; each part sums a dq of its own.

    Args:
        groups: batch rows times key heads.
        m: keys per head.
        dq_bytes: size of one partial dq over all heads.
    """
    wanted = min(ceildiv(UNITS, groups), ceildiv(m, 4 * LANES))
    least = UNITS // 4 if dq_bytes > 2 * PARTIAL_BYTES else UNITS // 2
    return max(1, min(wanted, max(ceildiv(least, groups), PARTIAL_BYTES // max(dq_bytes, 1))))
