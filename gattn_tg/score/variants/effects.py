"""The effects of variants, in a stream: both alleles asked batch by batch, equal windows asked once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from gattn_tg.errors import ConfigError, CoordinateError
from gattn_tg.io import Genome, VcfVariant
from gattn_tg.motif import MotifVocabulary
from gattn_tg.motif.sites import Sites
from gattn_tg.score.in_turns import Over
from gattn_tg.score.variants.alleles import Alleles, alleles
from gattn_tg.score.variants.background import Background
from gattn_tg.score.variants.changes import Changes, Scan, changes
from gattn_tg.score.variants.options import Answers, Column
from gattn_tg.seq import N
from gattn_tg.types import UInt8

BATCHES_PER_CHUNK = 16  # windows are cut and scanned for motifs in groups of this many batches,
BASES_PER_CHUNK = 1 << 24  # and of about so many bases
CHUNKS_AT_ONCE = 8  # that several processes share out among them
BUCKET = 64  # windows that are cut short are padded to a multiple of it, so that few widths are compiled


class Effect(NamedTuple):
    """What one alternative allele does.

    Args:
        asked: the variant as it stands in its file.
        scores: one per column of `Answers.columns`.
        quantiles: one per difference among them; none without a background.
        changes: motifs lost and gained.
    """

    asked: VcfVariant
    scores: tuple[float, ...]
    quantiles: tuple[float, ...]
    changes: Changes


class Effects:
    """Calling it with variants gives what each does, in their order, chunk after chunk.

    Every number of a chunk depends on the variants of that chunk only, and chunks begin at fixed places: a run that
    goes on where another was stopped gives the same bits.

    Args:
        answers: what a model says of windows.
        vocabulary: motif classes of the model.
        genome: what the variants lie on.
        shifts: the mean over windows moved by so many bases; (0,) is the window around the variant.
        background: what quantiles are taken among.
        over: shares chunks out over processes that all ask the same; None where there is one.

    Raises:
        ConfigError: no shift, one twice, or one that moves the variant out of its window.
    """

    def __init__(
        self, answers: Answers, vocabulary: MotifVocabulary, genome: Genome, shifts: Sequence[int] = (0,),
        background: Background | None = None, over: Over | None = None,
    ) -> None:
        half = answers.width // 2
        if not shifts or len(set(shifts)) < len(shifts) or max(map(abs, shifts)) > max(half - 1, 0):
            raise ConfigError(f"variants: expected different shifts of at most {max(half - 1, 0)} bases for windows of "
                              f"{answers.width}, got {list(shifts)}; correct them")
        self.answers, self.vocabulary, self.genome = answers, vocabulary, genome
        self.shifts, self.background, self.over = tuple(shifts), background, over
        self.size = max(min(answers.rows * BATCHES_PER_CHUNK, BASES_PER_CHUNK // answers.width) // 2, 1)

    @property
    def columns(self) -> list[Column]:
        """The scores, then the quantiles of the differences."""
        told = self.answers.columns
        if self.background is None:
            return told
        return told + [Column(f"quantile_{c.name}", f"share of {self.background.n} background variants with a smaller "
                              f"{c.name}, by size", False) for c in told if c.difference]  # fmt: skip

    def chunks(self, asked: Iterable[VcfVariant], done: int = 0) -> Iterator[list[Effect]]:
        """The effects chunk by chunk.

        Args:
            asked: all variants.
            done: so many of them need no answer: those of whole chunks.

        Raises:
            CoordinateError: an allele that leaves nothing of its contig.
            DivergedError: an answer is not finite.
        """
        source, waiting = iter(asked), list[list[VcfVariant]]()
        while chunk := list(islice(source, self.size)):
            if done:
                done -= len(chunk)
            elif self.over is None:
                yield self._chunk(chunk)
            else:
                waiting.append(chunk)
                if len(waiting) == CHUNKS_AT_ONCE:
                    yield from self.over(self._chunk, waiting)
                    waiting = []
        if self.over is not None and waiting:
            yield from self.over(self._chunk, waiting)

    def _chunk(self, chunk: list[VcfVariant]) -> list[Effect]:
        scores = np.zeros((len(chunk), len(self.answers.columns)))
        told: list[Changes] = []
        for shift in self.shifts:
            found, motifs = self._shifted(chunk, shift)
            scores += np.array(found).reshape(scores.shape) / len(self.shifts)
            told = told or motifs
        is_difference = [column.difference for column in self.answers.columns]
        effects = []
        for one, row, motif in zip(chunk, scores.tolist(), told, strict=True):
            differences = [value for value, is_one in zip(row, is_difference, strict=True) if is_one]
            quantiles = () if self.background is None else self.background.quantiles(differences)
            effects.append(Effect(one, tuple(row), tuple(quantiles), motif))
        return effects

    def _shifted(self, chunk: list[VcfVariant], shift: int) -> tuple[list[list[float]], list[Changes]]:
        rows = Rows(self.answers)
        pairs: list[tuple[Alleles, int, int]] = []
        for one in chunk:
            place = alleles(self.genome, one.variant, self.answers.width, shift=shift,
                            is_padded=self.answers.is_padded, is_inside=self.answers.is_inside)  # fmt: skip
            if not len(place.ref) or not len(place.alt):
                raise CoordinateError(
                    f"line {one.line}: variant {one.variant.shown}: expected alleles that leave a base of "
                    f"{place.chrom} to look at, got one that takes all of it; leave it out"
                )
            same = (place.chrom, place.start, len(place.ref))
            pairs.append((place, rows.add(place.ref, same), rows.add(place.alt)))
        rows.ask(self.vocabulary)
        scores = [self.answers.effects(rows.answers[r], rows.answers[a], place) for place, r, a in pairs]
        return scores, [changes(rows.sites(r), rows.sites(a), place, self.vocabulary) for place, r, a in pairs]


class Rows:
    """Windows that are asked together, in batches of one width and of equally many rows."""

    def __init__(self, answers: Answers) -> None:
        self._ask, self.answers = answers, list[np.ndarray]()
        self._rows: list[UInt8[np.ndarray, "n"]] = []
        self._known: dict[object, int] = {}
        self._scans: list[tuple[Scan, int]] = []

    def add(self, row: UInt8[np.ndarray, "n"], same: object = None) -> int:
        """Take a window in and return its number; one that is there under an equal `same` is not taken twice."""
        if same is not None and same in self._known:
            return self._known[same]
        self._rows.append(row)
        if same is not None:
            self._known[same] = len(self._rows) - 1
        return len(self._rows) - 1

    def ask(self, vocabulary: MotifVocabulary) -> None:
        """Fill `answers`, one per window."""
        groups: dict[int, list[int]] = {}
        for i, row in enumerate(self._rows):
            groups.setdefault(self._width(len(row)), []).append(i)
        found: dict[int, np.ndarray] = {}
        scans: dict[int, tuple[Scan, int]] = {}
        for width, members in groups.items():
            for first in range(0, len(members), self._ask.rows):
                some = members[first : first + self._ask.rows]
                bases = np.full((self._ask.rows, width), N, np.uint8)
                for held, i in zip(bases, some, strict=False):
                    held[: len(self._rows[i])] = self._rows[i]
                bases[len(some) :] = bases[len(some) - 1]
                lengths = np.array([len(self._rows[i]) for i in some], np.int32)
                lengths = np.pad(lengths, (0, len(bases) - len(some)), mode="edge")
                scan = Scan(bases[: len(some)], vocabulary)
                motif_ids = np.pad(scan.motif_ids, ((0, len(bases) - len(some)), (0, 0)), mode="edge")
                answers = self._ask(bases, motif_ids, lengths)
                found |= dict(zip(some, answers, strict=False))
                scans |= {i: (scan, k) for k, i in enumerate(some)}
        self.answers = [found[i] for i in range(len(self._rows))]
        self._scans = [scans[i] for i in range(len(self._rows))]

    def sites(self, row: int) -> Sites:
        """Motif sites of a window."""
        scan, k = self._scans[row]
        return scan.of(k)

    def _width(self, length: int) -> int:
        return min(-(-length // BUCKET) * BUCKET, self._ask.width)
