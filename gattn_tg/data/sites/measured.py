"""Sites with what was measured at them: a yes or no, or how many of the reads that cover a site say yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gattn_tg.errors import FormatError
from gattn_tg.io.fields import rows, whole
from gattn_tg.io.numbers import NumberColumns
from gattn_tg.types import Float, Int

PLACE = ["chrom", "start", "end"]


@dataclass(frozen=True)
class MeasuredSites:
    """The sites of one contig, sorted by start.

    Args:
        chrom: the contig.
        starts, ends: 0-based and half-open; all sites have the same number of bases.
        target: 0 or 1, or a share; nan where it is not known.
        weight: how much a site counts: 1 for a label, the number of reads (at most `most_coverage`) for a share, 0
            where nothing is known.
    """

    chrom: str
    starts: Int[np.ndarray, "s"]
    ends: Int[np.ndarray, "s"]
    target: Float[np.ndarray, "s"]
    weight: Float[np.ndarray, "s"]

    @property
    def site_bp(self) -> int:
        """Bases of a site."""
        return int(self.ends[0] - self.starts[0])


def read_labelled_sites(path: str | Path, column: str) -> list[MeasuredSites]:
    """Read a TSV file whose header begins with chrom, start, end (a leading # is left out) and has a 0/1 column.

    A cell that is empty, NA or nan has no label.

    Raises:
        FormatError: no such column, another cell, a site that comes twice, or sites of different lengths.
    """
    found = _read(Path(path), NumberColumns((column,), "yes_no"))
    return [_sites(chrom, sites, *_labels(values)) for chrom, (sites, values) in found.items()]


def read_counted_sites(path: str | Path, yes: str, coverage: str, most_coverage: int) -> list[MeasuredSites]:
    """Read the same file with two columns of counts: reads that say yes, and all reads that cover the site.

    Args:
        path: the file.
        yes: column of the reads that say yes, as those that are methylated.
        coverage: column of all reads; a site with 0, or without a number, has no share.
        most_coverage: a site counts as its reads do, but as no more than so many.

    Raises:
        FormatError: as above; more reads that say yes than there are.
    """
    found = _read(Path(path), NumberColumns((yes, coverage), "count"))
    marks = []
    for chrom, (sites, values) in found.items():
        said, reads = values.T
        covered = np.nan_to_num(reads) * ~np.isnan(said)
        if (odd := np.flatnonzero(said > reads)).size:
            start = sites[odd[0]][0]
            raise FormatError(f"{path}, {chrom}:{start}: expected {yes} of at most {coverage} = {reads[odd[0]]:g}, got "
                              f"{said[odd[0]]:g}; are the columns exchanged?")
        target = np.where(covered > 0, said / np.maximum(covered, 1e-9), np.nan)
        marks.append(_sites(chrom, sites, target, np.minimum(covered, most_coverage)))
    return marks


def _read(path: Path, columns: NumberColumns) -> dict[str, tuple[list[tuple[int, int]], np.ndarray]]:
    """Places and numbers by contig, sorted by start."""
    lines = iter(rows(path, skip=()))
    header = [name.lstrip("#") for name in next(lines, (0, [""]))[1]]
    if header[:3] != PLACE or any(name not in header for name in columns.names):
        raise FormatError(f"{path}: expected a header with chrom, start, end and {' and '.join(columns.names)}, got "
                          f"{', '.join(header)[:200]}; name the columns of the file")
    at = [header.index(name) for name in columns.names]
    found: dict[str, dict[tuple[int, int], list[float]]] = {}
    n_bases = 0
    for line, fields in lines:
        where = f"{path}, line {line}"
        if len(fields) != len(header):
            raise FormatError(f"{where}: expected {len(header)} columns, got {len(fields)}; correct the line")
        place = whole(where, "start", fields[1]), whole(where, "end", fields[2])
        n_bases = n_bases or place[1] - place[0]
        if place[1] - place[0] != n_bases or n_bases < 1:
            raise FormatError(f"{where}: expected a site of {max(n_bases, 1)} bases as on the lines before, got "
                              f"{place[1] - place[0]}; all sites have one length")
        sites = found.setdefault(fields[0], {})
        if place in sites:
            raise FormatError(f"{where}: expected every site once, got {fields[0]}:{place[0]} again; merge its lines")
        sites[place] = [columns.read(where, name, fields[k].strip()) for name, k in zip(columns.names, at, strict=True)]
    if not found:
        raise FormatError(f"{path}: expected at least one site, got none; was the file written fully?")
    return {chrom: (sorted(sites), np.array([sites[place] for place in sorted(sites)]))
            for chrom, sites in found.items()}  # fmt: skip


def _labels(values: Float[np.ndarray, "s 1"]) -> tuple[np.ndarray, np.ndarray]:
    return values[:, 0], (~np.isnan(values[:, 0])).astype(np.float64)


def _sites(chrom: str, sites: Sequence[tuple[int, int]], target: np.ndarray, weight: np.ndarray) -> MeasuredSites:
    starts, ends = np.array(sites, dtype=np.int64).T
    return MeasuredSites(chrom, starts, ends, target.astype(np.float32), weight.astype(np.float32))
