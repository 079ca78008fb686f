"""Position weight matrices, scanned by lightmotif."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gattn_tg.errors import ConfigError, MissingExtraError
from gattn_tg.motif.spans import Spans
from gattn_tg.motif.threshold import TIE_BITS, log_odds, score_threshold
from gattn_tg.seq.codec import decode
from gattn_tg.types import Float, UInt8

Counts = tuple[tuple[float, float, float, float], ...]

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
    return scan(ids, tuple((a, c, g, t) for a, c, g, t in counts), pvalue, reverse=reverse)


def scan(ids: UInt8[np.ndarray, "n"], counts: Counts, pvalue: float, *, reverse: bool = False) -> Spans:
    """As `find_matrix`, of counts that were checked."""
    if len(ids) < len(counts):
        return Spans.empty()
    weights, threshold, matrix = _prepared(counts, pvalue, reverse)
    found = _lightmotif().scan(matrix, _Striped.of(ids), threshold=threshold - SLACK_BITS)
    starts = np.array(sorted(hit.position for hit in found), dtype=np.int64)
    positions = np.arange(len(weights))
    scores = weights[positions, ids[starts[:, None] + positions]].sum(axis=1)
    sites = scores >= threshold - TIE_BITS
    return Spans(starts[sites], starts[sites] + len(weights), scores[sites])


@functools.lru_cache(maxsize=4096)
def _prepared(counts: Counts, pvalue: float, reverse: bool) -> tuple[Float[np.ndarray, "w 4"], float, Any]:
    """Log odds in bits, the score of a site, and the matrix as lightmotif takes it."""
    weights = log_odds(counts)[::-1, ::-1] if reverse else log_odds(counts)
    columns = dict(zip("ACGT", weights.T.tolist(), strict=True))
    matrix = _lightmotif().ScoringMatrix({**columns, "N": [-math.inf] * len(weights)})
    return weights, score_threshold(counts, pvalue), matrix


def _lightmotif() -> Any:
    try:
        from lightmotif import lib
    except ImportError as missing:
        raise MissingExtraError(
            "motif.pwm: expected lightmotif to scan matrices, but it is not installed; "
            'pip install "gattn_tg[genomics]"'
        ) from missing
    return lib


class _Striped:
    """The sequence that was scanned last, as lightmotif reads it: a vocabulary scans one for every matrix and strand.

    It is known by its bases, which are compared in a tenth of the time of a scan; an array that was changed is another.
    """

    _last: tuple[UInt8[np.ndarray, "n"], Any] | None = None

    @classmethod
    def of(cls, ids: UInt8[np.ndarray, "n"]) -> Any:
        last, ids = cls._last, np.ascontiguousarray(ids)  # read once: threads may scan at the same time
        if last is None or not _equal(last[0], ids):
            last = cls._last = ids.copy(), _lightmotif().stripe(decode(ids))
        return last[1]


def _equal(a: UInt8[np.ndarray, "n"], b: UInt8[np.ndarray, "m"]) -> bool:
    """Compares eight bases at once."""
    whole = len(a) & -8
    return (len(a) == len(b) and np.array_equal(a[:whole].view(np.uint64), b[:whole].view(np.uint64))
            and np.array_equal(a[whole:], b[whole:]))  # fmt: skip


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
