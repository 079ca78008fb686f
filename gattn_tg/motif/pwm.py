"""Position weight matrices, scanned by lightmotif."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from gattn_tg.errors import ConfigError, MissingExtraError
from gattn_tg.motif.spans import Spans
from gattn_tg.motif.threshold import PSEUDOCOUNT, TIE_BITS, log_odds, score_threshold
from gattn_tg.seq.codec import decode
from gattn_tg.types import UInt8

SLACK_BITS = 1e-3
"""lightmotif adds in 32 bits: it is asked for slightly too many sites, which are then scored again in 64."""


def find_matrix(
    ids: UInt8[np.ndarray, "n"], counts: Sequence[Sequence[int]], pvalue: float, *, reverse: bool = False
) -> Spans:
    """Return the sites of a position weight matrix on one strand.

    The score is `sum_i log2(p_i(b_i) / 0.25)` with a uniform background; a site scores at least `score_threshold`,
    which a random sequence reaches with probability `pvalue` at one position. A site never contains an N.

    Args:
        ids: base ids.
        counts: observed A, C, G, T at each position.
        pvalue: chance of a hit per position and strand in uniform random sequence.
        reverse: look for sites on the opposite strand; spans are in the coordinates of the given one.

    Raises:
        MissingExtraError: lightmotif is not installed.
        ConfigError: the counts are not whole numbers in rows of four, a row is empty, or pvalue is not in (0, 1) or
            too small for so short a matrix.
    """
    columns = check_counts(counts, pvalue)
    try:
        from lightmotif import lib as lightmotif
    except ImportError as missing:
        raise MissingExtraError(
            "motif.pwm: lightmotif is required to scan matrices, but it is not installed; "
            'pip install "gattn_tg[genomics]"'
        ) from missing
    if len(ids) < len(counts):
        return Spans.empty()
    threshold = score_threshold(tuple(map(tuple, counts)), pvalue)
    matrix = lightmotif.CountMatrix(columns).normalize(PSEUDOCOUNT).log_odds()
    sequence = lightmotif.stripe(decode(ids))
    found = lightmotif.scan(
        matrix.reverse_complement() if reverse else matrix, sequence, threshold=threshold - SLACK_BITS
    )
    starts = np.array(sorted(hit.position for hit in found), dtype=np.int64)
    weights = log_odds(counts)[::-1, ::-1] if reverse else log_odds(counts)
    positions = np.arange(len(weights))
    scores = weights[positions, ids[starts[:, None] + positions]].sum(axis=1)
    sites = scores >= threshold - TIE_BITS
    return Spans(starts[sites], starts[sites] + len(weights), scores[sites])


def check_counts(counts: Sequence[Sequence[int]], pvalue: float) -> dict[str, Iterable[int]]:
    """Return the counts by letter, refusing what is not a count matrix."""
    if not counts or any(len(row) != 4 or any(type(x) is not int or x < 0 for x in row) for row in counts):
        raise ConfigError(
            "motif matrix: rows of four whole counts (A C G T), one row per position, are required, "
            f"but came {counts!r}; scale frequencies to counts first"
        )
    if not all(map(sum, counts)):
        raise ConfigError(
            "motif matrix: at least one observation at each position is required, "
            f"but position {[sum(row) for row in counts].index(0)} has none; was a row lost?"
        )
    if not 0 < pvalue < 1:
        raise ConfigError(
            f"motif matrix: pvalue between 0 and 1 is required, but came {pvalue}; 1e-4 is usual"
        )
    return {letter: [row[at] for row in counts] for at, letter in enumerate("ACGT")}
