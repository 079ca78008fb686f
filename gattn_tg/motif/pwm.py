"""Position weight matrices, scanned by lightmotif."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gattn_tg.errors import ConfigError, MissingExtraError
from gattn_tg.motif.spans import Spans
from gattn_tg.motif.threshold import TIE_BITS, log_odds, score_threshold
from gattn_tg.seq.codec import decode
from gattn_tg.types import UInt8

SHOWN = 100  # characters of a matrix that a message repeats
SLACK_BITS = 1e-3
"""lightmotif adds in 32 bits: it is asked for slightly too many sites, which are then scored again in 64."""


def find_matrix(
    ids: UInt8[np.ndarray, "n"], counts: Sequence[Sequence[float]], pvalue: float, *, reverse: bool = False
) -> Spans:
    """Return the sites of a position weight matrix on one strand.

    The score is `sum_i log2(p_i(b_i) / 0.25)` with a uniform background; a site scores at least `score_threshold`,
    which a random sequence reaches with probability `pvalue` at one position. A site never contains an N.

    Args:
        ids: base ids.
        counts: observed A, C, G, T at each position, or their probabilities: see `threshold.log_odds`.
        pvalue: chance of a hit per position and strand in uniform random sequence.
        reverse: look for sites on the opposite strand; spans are in the coordinates of the given one.

    Raises:
        MissingExtraError: lightmotif is not installed.
        ConfigError: see `check_counts`, or pvalue is too small for so short a matrix.
    """
    check_counts(counts, pvalue)
    try:
        from lightmotif import lib as lightmotif
    except ImportError as missing:
        raise MissingExtraError(
            "motif.pwm: expected lightmotif to scan matrices, but it is not installed; "
            'pip install "gattn_tg[genomics]"'
        ) from missing
    if len(ids) < len(counts):
        return Spans.empty()
    threshold = score_threshold(counts, pvalue)
    weights = log_odds(counts)[::-1, ::-1] if reverse else log_odds(counts)
    columns = dict(zip("ACGT", weights.T.tolist(), strict=True))
    matrix = lightmotif.ScoringMatrix({**columns, "N": [-math.inf] * len(weights)})
    found = lightmotif.scan(matrix, lightmotif.stripe(decode(ids)), threshold=threshold - SLACK_BITS)
    starts = np.array(sorted(hit.position for hit in found), dtype=np.int64)
    positions = np.arange(len(weights))
    scores = weights[positions, ids[starts[:, None] + positions]].sum(axis=1)
    sites = scores >= threshold - TIE_BITS
    return Spans(starts[sites], starts[sites] + len(weights), scores[sites])


def check_counts(counts: Sequence[Sequence[float]], pvalue: float) -> None:
    """Refuse what is no motif matrix.

    Raises:
        ConfigError: not rows of four finite numbers of at least 0, a row of zeros, or pvalue not in (0, 1).
    """
    if not counts or any(len(row) != 4 or not all(map(_is_share, row)) for row in counts):
        raise ConfigError(
            "motif matrix: expected rows of four numbers of at least 0 (A C G T), counts or probabilities, one row per "
            f"position, got {_short(counts)}; correct the matrix"
        )
    if not all(map(sum, counts)):
        raise ConfigError(
            "motif matrix: expected at least one observation at each position, "
            f"but position {[sum(row) for row in counts].index(0)} has none; was a row lost?"
        )
    if not 0 < pvalue < 1:
        raise ConfigError(
            f"motif matrix: expected pvalue between 0 and 1, got {pvalue}; 1e-4 is usual"
        )


def _is_share(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]


def _short(counts: object) -> str:
    text = repr(counts)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
