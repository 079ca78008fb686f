"""chrom.sizes: the contigs of a genome and their lengths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gattn_tg.errors import FormatError
from gattn_tg.escaping import field
from gattn_tg.io.replacing import replacing
from gattn_tg.io.rows import rows, whole


def read_sizes(path: str | Path) -> dict[str, int]:
    """Return name -> bases, in the order of the file; a `.fai` index reads as well, its further columns are ignored.

    Raises:
        FormatError: fewer than two columns, a size that is no positive whole number, a name twice, no line.
    """
    sizes: dict[str, int] = {}
    for line, fields in rows(Path(path)):
        where = f"{path}, line {line}"
        if len(fields) < 2 or not fields[0]:
            raise FormatError(f"{where}: a name and a size are required, but came {' '.join(fields)!r}; correct it")
        size = whole(where, "size", fields[1])
        if not size or fields[0] in sizes:
            fault = f"{fields[0]!r} again" if size else "0"
            raise FormatError(
                f"{where}: each contig once, with at least one base, is required, but came {fault}; correct it"
            )
        sizes[fields[0]] = size
    if not sizes:
        raise FormatError(f"{path}: at least one contig is required, but came none; was the file written fully?")
    return sizes


def write_sizes(path: str | Path, sizes: Mapping[str, int], *, overwrite: bool = False) -> int:
    """Write a chrom.sizes file and return the number of contigs; see `replacing`."""
    with replacing(path, overwrite=overwrite) as handle:
        for name, size in sizes.items():
            handle.write(f"{field(name)}\t{size}\n")
    return len(sizes)
