"""What a data set of peaks is made of, and how it is made: one way for `gattn dataset` and for [data]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gattn_tg.data.folds import PartOf, parts_by_contig, parts_by_fold, read_folds
from gattn_tg.data.peaks import NEGATIVE, NOWHERE, POSITIVE, PeakReader, PeakSet
from gattn_tg.data.placed import Placed
from gattn_tg.io import Genome, Locus, read_bed, read_loci
from gattn_tg.strict import require

GC, SHUFFLE = "gc", "shuffle"
DRAWN = (GC, SHUFFLE)
HELD_OUT = 0.1  # of the peaks, roughly: what contigs are held out for where nobody names any


@dataclass(frozen=True, kw_only=True)
class PeakChoices:
    """Windows around the peaks of an assay, and negatives.

    Args:
        width: Bases of each window, around the summit or the middle of its peak.
        negatives: "gc" (random windows of the same GC content), "shuffle" (the same dinucleotides), or a BED file.
        ratio: Negatives for each positive where they are drawn; 0 takes one.
        exclude: BED of places to leave out, such as a blacklist; "" for none.
        valid_contigs: Contigs (or with folds folds) for validation.
        test_contigs: Contigs (or folds) for the test. Where no contig and no folds are named, contigs are chosen.
        folds: BED4 whose fourth column names folds; "" for none.
        max_unknown: Share of N that a window may have.
        regions: Records of the genome named chrom:start-end lie there.
        rename: "auto" finds 22 as chr22; "" takes names of contigs as they are.
    """

    width: int = 200
    negatives: str = GC
    ratio: int = 0
    exclude: str = ""
    valid_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()
    folds: str = ""
    max_unknown: float = 0.0
    regions: bool = False
    rename: str = ""

    def __post_init__(self) -> None:
        require(self.width >= 1, "width", "at least 1 base", self.width)
        require(0 <= self.ratio <= 1000, "ratio", "a number from 0 to 1000", self.ratio)
        require(0 <= self.max_unknown <= 1, "max_unknown", "a share from 0 to 1", self.max_unknown)
        require(self.rename in ("", "auto"), "rename", '"auto" or ""', self.rename)
        require(self.negatives in DRAWN or not self.ratio, "ratio",
                "0 with a file of negatives, which says how many there are", self.ratio)  # fmt: skip


def read_peak_set(
    genome: Path, peaks: Path, choices: PeakChoices, *, seed: int = 0, resolve: Callable[[str], Path] = Path,
    narrow_peak: bool = False, rename: Mapping[str, str] | str | None = None,
) -> PeakSet:  # fmt: skip
    """The examples of the peaks of an assay, part by part.

    Args:
        genome: FASTA, plain or bgzip; small ones also gzip.
        peaks: BED or narrowPeak.
        choices: windows, negatives and parts.
        seed: decides the negatives.
        resolve: where the files that `choices` names lie.
        narrow_peak: the peaks are narrowPeak, whatever the name.
        rename: names of contigs instead of those of `choices`.

    Raises:
        ConfigError: nothing is left, or too few negatives; a contig in two parts, or one that the genome has not.
        FormatError, CoordinateError: a file is malformed, or of another assembly.
    """
    rename = rename if rename is not None else choices.rename or None
    with Genome(genome) as opened:
        placed = Placed(opened, regions=choices.regions)
        checked: dict[str, Any] = {"sizes": None if choices.regions else placed.sizes, "rename": rename}
        loci = list(read_loci(peaks, peaks=narrow_peak, width=choices.width, **checked))
        part_of, told = _parts(choices, placed, loci, resolve, rename)
        excluded = [] if not choices.exclude else [
            inside for record in read_bed(resolve(choices.exclude), **checked) for inside in placed.within(
                record.interval)]  # fmt: skip
        reader = PeakReader(placed.genome, lambda window: part_of(placed.outward(window)), exclude=excluded,
                            max_unknown=choices.max_unknown, seed=seed, shown=placed.outward)  # fmt: skip
        reader.positives(_inside(loci, placed, reader.found.left_out[POSITIVE]))
        if choices.negatives == GC:
            reader.gc_matched(choices.ratio or 1)
        elif choices.negatives == SHUFFLE:
            reader.shuffled(choices.ratio or 1)
        else:
            given = read_loci(resolve(choices.negatives), width=choices.width, **checked)
            kept = _inside(given, placed, reader.found.left_out[NEGATIVE])
            reader.given(locus.window for locus in kept)
    reader.found.notes = told
    return reader.found


def chosen_contigs(counts: Mapping[str, int], share: float = HELD_OUT) -> dict[str, list[str]]:
    """Contigs for the test and for validation, each with about a share of all peaks.

    For each part in turn: the contig that brings the part nearest to its share, again and again as long as it comes
    nearer. Each part, train included, has one at least; of two contigs the smaller is the test, and one stays whole.

    Args:
        counts: contig -> its peaks.
        share: what a part is to have.

    Example:
        >>> chosen_contigs({"chr1": 60, "chr2": 20, "chr3": 11, "chr4": 5, "chr5": 4})
        {'test': ['chr3'], 'valid': ['chr4', 'chr5']}
    """
    left, goal = {name: n for name, n in counts.items() if n}, share * sum(counts.values())
    found: dict[str, list[str]] = {}
    for part, others in (("test", 2), ("valid", 1)):
        taken, n = list[str](), 0
        while len(left) > (others if len(counts) > 2 else 1):
            best = min(left, key=lambda name: (abs(n + left[name] - goal), name))
            if taken and abs(n + left[best] - goal) >= abs(n - goal):
                break
            taken.append(best)
            n += left.pop(best)
        if taken:
            found[part] = taken
    return found


def _parts(
    choices: PeakChoices, placed: Placed, loci: Sequence[Locus], resolve: Callable[[str], Path],
    rename: Mapping[str, str] | str | None,
) -> tuple[PartOf, tuple[str, ...]]:  # fmt: skip
    """The part of a place, and how it was chosen."""
    names = placed.names(rename)
    named = {"valid": list(choices.valid_contigs), "test": list(choices.test_contigs)}
    parts = {part: members for part, members in named.items() if members}
    if choices.folds:
        folds = [(replace(place, chrom=names.resolve(place.chrom, choices.folds)), fold)
                 for place, fold in read_folds(resolve(choices.folds))]  # fmt: skip
        return parts_by_fold(folds, parts, "train"), ()
    if parts:
        resolved = {part: [names.resolve(name, part) for name in members] for part, members in parts.items()}
        return parts_by_contig(sorted(names.known), resolved, "train"), ()
    counts = Counter(locus.interval.chrom for locus in loci)
    parts = chosen_contigs(counts)
    if not parts:
        return parts_by_contig(sorted(names.known), {}, "train"), (
            f"all peaks are on {next(iter(counts))}: nothing is held out by contig; name folds for a test that shares "
            "no stretch with training",)  # fmt: skip
    told = (f"{part}: {', '.join(parts[part])} (chosen, {sum(counts[name] for name in parts[part]) / len(loci):.0%} of "
            f"the peaks)" for part in ("valid", "test") if part in parts)  # fmt: skip
    return parts_by_contig(sorted({*names.known, *counts}), parts, "train"), tuple(told)


def _inside(loci: Iterable[Locus], placed: Placed, left_out: Counter[str]) -> list[Locus]:
    """Loci within the records that they lie on; those that lie on none are counted."""
    found = []
    for locus in loci:
        window, here = placed.inward(locus.window), locus.interval
        if window is None:
            left_out[NOWHERE] += 1
            continue
        by = window.start - locus.window.start
        moved = replace(here, chrom=window.chrom, start=here.start + by, end=here.end + by)
        found.append(locus._replace(window=window, interval=moved))
    return found
