"""Parts of a genome, by contig or by a fold file, so that no part sees another's stretch of genome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gattn_tg.data.occupied import Occupied
from gattn_tg.errors import ConfigError, CoordinateError, FormatError
from gattn_tg.io.fields import rows, whole
from gattn_tg.seq.interval import Interval

PartOf = Callable[[Interval], str | None]
"""The part that a window belongs to; None where it belongs to none, or reaches into several."""


def parts_by_contig(contigs: Sequence[str], parts: Mapping[str, Sequence[str]], rest: str) -> PartOf:
    """Return the part of a window by its contig.

    Args:
        contigs: of the genome.
        parts: part -> its contigs, for example {"valid": ["chr8"], "test": ["chr9"]}.
        rest: part of all other contigs, for example "train".

    Raises:
        ConfigError: a contig in two parts, or one that the genome does not have.
    """
    part_of = _turned("contig", parts, contigs)
    return lambda window: part_of.get(window.chrom, rest)


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
                f"{where}: expected chrom, start, end and fold, got {len(fields)} columns; correct the line"
            )
        start, end = whole(where, "start", fields[1]), whole(where, "end", fields[2])
        if start >= end:
            raise CoordinateError(f"{where}: expected start < end, got {start} and {end}; correct the line")
        found.append((Interval(fields[0], start, end), fields[3]))
    if not found:
        raise FormatError(f"{path}: expected at least one fold, got none; was the file written fully?")
    return found


def parts_by_fold(folds: Sequence[tuple[Interval, str]], parts: Mapping[str, Sequence[str]], rest: str) -> PartOf:
    """Return the part of a window by the folds that it touches: None where it touches no fold, or those of two parts.

    Args:
        folds: stretches of the genome and their folds, from `read_folds`.
        parts: part -> its folds, for example {"valid": ["fold3"], "test": ["fold4"]}.
        rest: part of all other folds, for example "train".

    Raises:
        ConfigError: a fold in two parts, or one that no stretch has.
    """
    part_of = _turned("fold", parts, [fold for _, fold in folds])
    places = {part: Occupied(place for place, fold in folds if part_of.get(fold, rest) == part)
              for part in (*parts, rest)}  # fmt: skip

    def part(window: Interval) -> str | None:
        touched = [name for name, taken in places.items() if taken.overlaps(window)]
        return touched[0] if len(touched) == 1 else None

    return part


def _turned(what: str, parts: Mapping[str, Sequence[str]], known: Sequence[str]) -> dict[str, str]:
    part_of: dict[str, str] = {}
    names = sorted(set(known))
    for part, members in parts.items():
        for member in members:
            if member not in names:
                listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
                raise ConfigError(f"{part}: expected a {what} of {listed}, got {member!r}; correct the name")
            if part_of.setdefault(member, part) != part:
                raise ConfigError(
                    f"{part}: expected each {what} in one part, got {member} in {part_of[member]} as well; remove one"
                )
    return part_of
