"""Parts by chromosome or by a fold file, so that no part sees another's stretch of genome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gattn_tg.errors import ConfigError, CoordinateError, FormatError
from gattn_tg.io.rows import rows, whole
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Int


def split_by_contig(
    intervals: Sequence[Interval], parts: Mapping[str, Sequence[str]], rest: str | None = None
) -> dict[str, Int[np.ndarray, "k"]]:
    """Return the row numbers of each part by the contigs that belong to it.

    Args:
        intervals: one per row.
        parts: part -> its contigs, for example {"valid": ["chr8"], "test": ["chr9"]}.
        rest: part of all other contigs, for example "train"; None refuses them.

    Raises:
        ConfigError: a contig in two parts, one in none, or an empty part.
    """
    part_of: dict[str, str] = {}
    for part, contigs in parts.items():
        for chrom in contigs:
            if part_of.setdefault(chrom, part) != part:
                raise ConfigError(
                    f"split_by_contig: each contig in one part is required, but {chrom} is in {part_of[chrom]} and "
                    f"{part}; remove one"
                )
    names = [part_of.get(interval.chrom, rest) for interval in intervals]
    if None in names:
        lost = intervals[names.index(None)].chrom
        raise ConfigError(
            f"split_by_contig: a part for each contig is required, but {lost} has none; name it, or the part of the "
            "rest"
        )
    return _rows("split_by_contig", names, [*parts, *([rest] if rest is not None and rest not in parts else [])])


def read_folds(path: str | Path) -> list[tuple[Interval, str]]:
    """Read a fold file: lines of `chrom start end fold` (BED4, as Basenji writes them).

    Raises:
        FormatError: too few columns or bad numbers, no line.
        CoordinateError: start after end.
    """
    found = []
    for line, fields in rows(Path(path)):
        where = f"{path}, line {line}"
        if len(fields) < 4 or not fields[0] or not fields[3]:
            raise FormatError(
                f"{where}: chrom, start, end and fold are required, but came {len(fields)} columns; correct it"
            )
        start, end = whole(where, "start", fields[1]), whole(where, "end", fields[2])
        if start >= end:
            raise CoordinateError(f"{where}: start < end is required, but came {start} and {end}; correct the line")
        found.append((Interval(fields[0], start, end), fields[3]))
    if not found:
        raise FormatError(f"{path}: at least one fold is required, but came none; was the file written fully?")
    return found


def split_by_folds(
    intervals: Sequence[Interval], folds: Sequence[tuple[Interval, str]], parts: Mapping[str, Sequence[str]]
) -> dict[str, Int[np.ndarray, "k"]]:
    """Return the row numbers of each part by the folds that belong to it; rows that touch no named fold are left out.

    Args:
        intervals: one per row.
        folds: stretches of the genome and their folds, from `read_folds`.
        parts: part -> its folds, for example {"valid": ["fold3"], "test": ["fold4"], "train": ["fold0", "fold1"]}.

    Raises:
        ConfigError: a fold that no stretch has, a row in two parts (it would leak), or an empty part.
    """
    known = {fold for _, fold in folds}
    part_of = {fold: part for part, names in parts.items() for fold in names}
    for fold in part_of:
        if fold not in known:
            raise ConfigError(
                f"split_by_folds: one of the folds {', '.join(sorted(known))} is required, but came {fold!r}; "
                "correct it"
            )
    names: list[str | None] = [None] * len(intervals)
    by_contig: dict[str, list[int]] = {}
    for row, interval in enumerate(intervals):
        by_contig.setdefault(interval.chrom, []).append(row)
    starts = {c: np.array([intervals[row].start for row in r]) for c, r in by_contig.items()}
    ends = {c: np.array([intervals[row].end for row in r]) for c, r in by_contig.items()}
    for stretch, fold in folds:
        part = part_of.get(fold)
        if part is None or stretch.chrom not in by_contig:
            continue
        touched = (starts[stretch.chrom] < stretch.end) & (ends[stretch.chrom] > stretch.start)
        for at in np.flatnonzero(touched).tolist():
            row = by_contig[stretch.chrom][at]
            if names[row] not in (None, part):
                raise ConfigError(
                    f"split_by_folds: windows inside one part are required, but {intervals[row]} touches {names[row]} "
                    f"and {part}; shorten the windows or remove it"
                )
            names[row] = part
    return _rows("split_by_folds", names, list(parts))


def _rows(where: str, names: Sequence[str | None], parts: Sequence[str]) -> dict[str, Int[np.ndarray, "k"]]:
    found = {part: np.flatnonzero(np.array([name == part for name in names], dtype=bool)) for part in parts}
    for part, numbers in found.items():
        if not numbers.size:
            raise ConfigError(
                f"{where}: at least one row in each part is required, but {part!r} has none; correct the parts"
            )
    return found
