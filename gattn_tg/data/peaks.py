"""Peaks of an assay as a data set: windows around them, negatives beside them, parts that share no sequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gattn_tg.data.dinucleotides import dinucleotide_shuffle
from gattn_tg.data.folds import PartOf
from gattn_tg.data.negatives import Readable, gc_matched
from gattn_tg.data.occupied import Occupied
from gattn_tg.errors import ConfigError
from gattn_tg.io.bed import Locus
from gattn_tg.seq.codec import decode, encode
from gattn_tg.seq.interval import Interval
from gattn_tg.seq.strand import reverse_complement

POSITIVE, NEGATIVE = 1, 0
NOWHERE, OUTSIDE, UNKNOWN, EXCLUDED, OVERLAP, REPEATED, NO_PART = (
    "lie on none of the sequences", "reach over the end of their contig", "hold too many N",
    "touch an excluded interval", "overlap a peak or a window before", "repeat a sequence, as it stands or reversed",
    "lie in no part or in two",
)  # fmt: skip


class Example(NamedTuple):
    """A sequence in capital letters, its label, and what it is called: the place it was read from."""

    sequence: str
    label: int
    name: str


@dataclass
class PeakSet:
    """Examples by part, how many windows were left out by label and reason, and how the parts were chosen."""

    parts: dict[str, list[Example]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: dict[int, Counter[str]] = field(default_factory=lambda: {POSITIVE: Counter(), NEGATIVE: Counter()})


class PeakReader:
    """Makes the examples of peaks; every window is looked at once, in the order of the file.

    Args:
        genome: where the windows are read.
        part_of: the part of a window, see `data.folds`.
        exclude: intervals that no window may touch, for example a blacklist.
        max_unknown: greatest fraction of N in a window.
        seed: decides the negatives.
        shown: the place that a window has in the names of its examples; None takes it as it is.
    """

    def __init__(
        self, genome: Readable, part_of: PartOf, *, exclude: Sequence[Interval] = (), max_unknown: float = 0.0,
        seed: int = 0, shown: Callable[[Interval], Interval] | None = None,
    ) -> None:
        self.shown = shown or (lambda window: window)
        self.genome, self.part_of, self.exclude, self.max_unknown, self.seed = (
            genome, part_of, exclude, max_unknown, seed
        )  # fmt: skip
        self._excluded, self._taken = Occupied(exclude), Occupied()
        self._seen: set[str] = set()
        self._positives: dict[str, list[tuple[Interval, str]]] = {}
        self._peaks: list[Interval] = []
        self.found = PeakSet()

    def positives(self, peaks: Sequence[Locus]) -> None:
        """Take the windows of peaks, all of one width. Negatives stay away from the whole of all peaks, used or not.

        Raises:
            ConfigError: none is left.
        """
        for window, part, sequence in self._kept((peak.window for peak in peaks), POSITIVE):
            self._positives.setdefault(part, []).append((window, sequence))
        self._peaks = [place for peak in peaks for place in (peak.interval, peak.window)]
        for place in self._peaks:
            self._taken.add(place)
        if not self._positives:
            reasons = ", ".join(f"{n} {reason}" for reason, n in self.found.left_out[POSITIVE].items())
            raise ConfigError(
                f"peaks: expected at least one window that can be used, got none ({reasons or 'no peak'}); check the "
                "genome, the width and what is excluded"
            )

    def given(self, windows: Iterable[Interval]) -> None:
        """Take negatives that were chosen elsewhere, windows of the width of the positives."""
        self._negatives(windows)

    def gc_matched(self, per_positive: int) -> None:
        """Draw negatives of the GC content of the positives, part by part.

        Raises:
            ConfigError: the genome has too few.
        """
        for part, rows in self._positives.items():
            windows = [window for window, _ in rows]

            def is_here(window: Interval, part: str = part) -> bool:
                return self.part_of(window) == part

            found = gc_matched(
                self.genome, windows, self.seed, per_positive=per_positive, avoid=[*self._peaks, *self.exclude],
                allowed=is_here, max_unknown=self.max_unknown,
            )  # fmt: skip
            self._negatives(found)

    def shuffled(self, per_positive: int) -> None:
        """Make negatives that have the dinucleotides of the positives in another order."""
        row = 0
        for part, rows in self._positives.items():
            for window, sequence in rows:
                for k in range(per_positive):
                    other = decode(dinucleotide_shuffle(encode(sequence), self.seed, row, k))
                    if self._is_new(other, NEGATIVE):
                        self._note(part, Example(other, NEGATIVE, f"{self.shown(window)} shuffle {k + 1}"))
                row += 1

    def _negatives(self, windows: Iterable[Interval]) -> None:
        for _ in self._kept(windows, NEGATIVE):
            pass

    def _kept(self, windows: Iterable[Interval], label: int) -> Iterator[tuple[Interval, str, str]]:
        """Note the windows that can be used; yield them with their part and sequence."""
        left_out = self.found.left_out[label]
        for window in windows:
            part = self.part_of(window)
            if window.start < 0 or window.end > self.genome.sizes[window.chrom]:
                left_out[OUTSIDE] += 1
            elif self._excluded.overlaps(window):
                left_out[EXCLUDED] += 1
            elif part is None:
                left_out[NO_PART] += 1
            elif self._taken.overlaps(window):
                left_out[OVERLAP] += 1
            else:
                sequence = decode(encode(self.genome.padded(window)))
                if sequence.count("N") > self.max_unknown * len(window):
                    left_out[UNKNOWN] += 1
                elif self._is_new(sequence, label):
                    self._taken.add(window)
                    self._note(part, Example(sequence, label, str(self.shown(window))))
                    yield window, part, sequence

    def _is_new(self, sequence: str, label: int) -> bool:
        """Whether neither the sequence nor its reverse complement came before, in whatever part."""
        one = min(sequence, reverse_complement(sequence))
        if one in self._seen:
            self.found.left_out[label][REPEATED] += 1
            return False
        self._seen.add(one)
        return True

    def _note(self, part: str, example: Example) -> None:
        self.found.parts.setdefault(part, []).append(example)
