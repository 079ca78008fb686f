"""Predicted splice sites against known exons: what was found, and what counting bases would have found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from gattn_tg.errors import ShapeError
from gattn_tg.io.gtf import Feature
from gattn_tg.metrics.precision import average_precision, average_precision_difference
from gattn_tg.motif.threshold import log_odds
from gattn_tg.score.splice import DINUCLEOTIDES, Candidate
from gattn_tg.seq import Interval, encode
from gattn_tg.types import Bool, Float

Junction = tuple[str, str, int]
"""Kind, strand, and coordinate on the + strand, as those of a `Candidate`."""


def junctions(exons: Iterable[Feature]) -> set[Junction]:
    """The ends of all introns: of what lies between two neighbouring exons of a transcript.

    Args:
        exons: lines of GTF with a transcript_id; other kinds of features are passed over.
    """
    transcripts: dict[tuple[str, str], list[Interval]] = {}
    for feature in exons:
        if feature.kind == "exon":
            key = (feature.transcript_id, feature.interval.chrom)
            transcripts.setdefault(key, []).append(feature.interval)
    found: set[Junction] = set()
    for parts in transcripts.values():
        for one, next_one in pairwise(sorted(parts, key=lambda exon: exon.start)):
            first, last = ("acceptor", "donor") if one.strand == "-" else ("donor", "acceptor")
            found |= {(first, one.strand, one.end), (last, one.strand, next_one.start)}
    return found


def is_real(sites: Sequence[Candidate], real: Collection[Junction]) -> Bool[np.ndarray, "n"]:
    """Which candidates are known junctions."""
    return np.array([(s.kind, s.strand, s.position) in real for s in sites], dtype=bool)


def weight_matrix_scores(
    examples: Sequence[bytes], windows: Sequence[bytes]
) -> Float[np.ndarray, "n"]:
    """What counting the bases of examples at every position says of windows: log2 of p(window) / 0.25 ** length.

    The simplest model of a site, in which every position stands alone. No parameter is chosen.

    Args:
        examples: real sites, all of one length.
        windows: as long as the examples.

    Raises:
        ShapeError: no examples, or sequences of several lengths.
    """
    lengths = {len(s) for s in (*examples, *windows)}
    if not examples or len(lengths) != 1:
        raise ShapeError(f"weight_matrix_scores: expected examples and windows of one length, got {len(examples)} "
                         f"examples and the lengths {sorted(lengths)}; cut them alike")  # fmt: skip
    ids = encode(b"".join(examples)).reshape(len(examples), -1)
    weights = log_odds([np.bincount(column, minlength=5)[:4].tolist() for column in ids.T])
    known = np.concatenate([weights, np.zeros((len(weights), 1))], 1)  # an N says nothing
    letters = encode(b"".join(windows)).reshape(len(windows), -1)
    scores: np.ndarray = known[np.arange(len(weights)), letters].sum(1)
    return scores


@dataclass(frozen=True)
class Judgement:
    """Predicted sites of one kind against the known ones of a stretch.

    Args:
        kind: donor or acceptor.
        n_candidates: GT or AG that were judged.
        n_real: known sites among them; a known site with other letters, as the rare GC donors, is no candidate.
        n_shown: candidates above the threshold.
        n_found: known sites among them.
        average_precision: of the ranking by the model.
        by_weight_matrix: of the ranking by `weight_matrix_scores`.
        difference: model minus matrix, with its 95% interval over resampled candidates: (difference, low, high).
    """

    kind: str
    n_candidates: int
    n_real: int
    n_shown: int
    n_found: int
    average_precision: float
    by_weight_matrix: float
    difference: tuple[float, float, float]

    @property
    def precision(self) -> float:
        """Known sites among the shown; nan where none is shown."""
        return self.n_found / self.n_shown if self.n_shown else float("nan")

    @property
    def recall(self) -> float:
        """Shown sites among the known; nan where none is known."""
        return self.n_found / self.n_real if self.n_real else float("nan")

    @property
    def by_chance(self) -> float:
        """Average precision of a random ranking, which is also the precision of showing every candidate."""
        return self.n_real / self.n_candidates if self.n_candidates else float("nan")

    def to_dict(self) -> dict[str, object]:
        """All numbers by name, with None for nan because JSON has no nan."""
        every = {**asdict(self), "difference": list(self.difference), "precision": self.precision,
                 "recall": self.recall, "by_chance": self.by_chance}  # fmt: skip
        return {name: _json(value) for name, value in every.items()}


def _json(value: object) -> object:
    if isinstance(value, list):
        return [_json(v) for v in value]
    if isinstance(value, float):
        return None if value != value else round(value, 4)
    return value


def judged(
    kind: str, real: Bool[np.ndarray, "n"], score: Float[np.ndarray, "n"], matrix_score: Float[np.ndarray, "n"],
    threshold: float,
) -> Judgement:
    """How the candidates of one kind do against the known sites.

    Args:
        kind: donor or acceptor.
        real: which candidates are known sites.
        score: what the model says of each.
        matrix_score: what the weight matrix says.
        threshold: candidates with a higher score are shown.

    Raises:
        ShapeError: an unknown kind, or arrays of several lengths.
    """
    if kind not in DINUCLEOTIDES or not real.shape == score.shape == matrix_score.shape:
        raise ShapeError(f"judged: expected one of {', '.join(DINUCLEOTIDES)} and three arrays of one length, got "
                         f"{kind!r} and {real.size}, {score.size}, {matrix_score.size}; pass one kind")  # fmt: skip
    shown = score > threshold
    return Judgement(
        kind, real.size, int(real.sum()), int(shown.sum()), int((shown & real).sum()), average_precision(real, score),
        average_precision(real, matrix_score), average_precision_difference(real, score, matrix_score),
    )  # fmt: skip
