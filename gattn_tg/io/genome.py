"""A genome: contigs of a FASTA file, read at any place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.io.contigs import ContigNames
from gattn_tg.io.faidx import Faidx
from gattn_tg.io.fasta import check_letters, stream_fasta
from gattn_tg.io.source import GZIP_MAGIC, HEAD_BYTES, check_bgzip_end, is_bgzip, require_regular, unreadable
from gattn_tg.seq.interval import Interval
from gattn_tg.seq.strand import reverse_complement

MAX_GZIP_BYTES, MAX_GZIP_BP = 64 * 2**20, 2**28
"""A gzip file has no places to jump to, so it is read whole; larger ones (above some 250 Mb of DNA) should be bgzip."""

MAX_WINDOW_BP = 2**32  # more than any chromosome; bases outside a contig take memory too


class Genome:
    """Random access to the contigs of a FASTA file: plain or bgzip through an index, small gzip files in memory.

    The index is the `.fai` of samtools (and `.gzi` for bgzip); it is made beside the file when it is missing or older,
    and checked against the file. A name such as `chrX:100-200` is that of a contig, whose bases count from 0.

    Args:
        path: the FASTA file.
        rename: how names in intervals become names of the file, see `ContigNames`.
        index: where the index is or will be; `path` with `.fai` when None.

    Raises:
        FormatError: not FASTA, lines of unequal length, a damaged or unreadable file, a pipe, a large gzip file, or an
            index of another file.
        GattnError: the index cannot be written.
        MissingExtraError: pyfaidx, or for bgzip Biopython, is not installed.
    """

    def __init__(
        self, path: str | Path, *, rename: Mapping[str, str] | str | None = None, index: str | Path | None = None
    ) -> None:
        self.path = Path(path)
        require_regular(self.path, "a genome is read at any place")
        head = _head(self.path)
        self._faidx: Faidx | None = None
        self._contigs: dict[str, bytes] = {}
        if head.startswith(GZIP_MAGIC) and not is_bgzip(head):
            if self.path.stat().st_size > MAX_GZIP_BYTES:
                raise _too_large(self.path, f"more than {MAX_GZIP_BYTES >> 20} MB")
            self._contigs = _whole(self.path)
            self.sizes = {name: len(sequence) for name, sequence in self._contigs.items()}
        else:
            if is_bgzip(head):
                check_bgzip_end(self.path)
            self._faidx = Faidx(self.path, index)
            self.sizes = self._faidx.sizes
        self.names = ContigNames(self.sizes, rename)

    def fetch(self, interval: Interval, *, pad: bool = False) -> bytes:
        """Return the letters of an interval, those of the opposite strand when its strand is "-".

        Args:
            interval: 0-based and half-open.
            pad: give N for bases outside the contig instead of refusing them.

        Raises:
            CoordinateError: a contig that the genome does not have, or bases outside it.
            FormatError: the file has a letter that is no nucleotide, or changed under its index.
        """
        chrom = self.names.resolve(interval.chrom, f"interval {interval}")
        size = self.sizes[chrom]
        if len(interval) > MAX_WINDOW_BP:
            raise CoordinateError(
                f"interval {interval}: expected at most {MAX_WINDOW_BP:,} bases, got {len(interval):,}; shorten it"
            )
        start, end = min(max(interval.start, 0), size), max(min(interval.end, size), 0)
        if not pad and (interval.start < 0 or interval.end > size):
            raise CoordinateError(
                f"interval {interval}: expected bases 0 to {size} of {chrom}, but it reaches outside; "
                "resize it, pad it, or is this another assembly?"
            )
        inside = self._read(chrom, start, end) if start < end else b""
        if len(inside) < len(interval):
            left = min(max(-interval.start, 0), len(interval))
            inside = b"N" * left + inside + b"N" * (len(interval) - left - len(inside))
        return reverse_complement(inside) if interval.strand == "-" else inside

    def padded(self, interval: Interval) -> bytes:
        """Return the letters of an interval, N where it lies outside its contig."""
        return self.fetch(interval, pad=True)

    def renamed(self, interval: Interval) -> Interval:
        """Return the interval with the genome's own name of its contig."""
        return replace(interval, chrom=self.names.resolve(interval.chrom, f"interval {interval}"))

    def _read(self, chrom: str, start: int, end: int) -> bytes:
        if self._faidx is None:
            return self._contigs[chrom][start:end]
        found = self._faidx(chrom, start, end)
        check_letters(f"{self.path}, {chrom}:{start}-{end}", found)
        return found

    def __enter__(self) -> Genome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._faidx is not None:
            self._faidx.close()


def _whole(path: Path) -> dict[str, bytes]:
    """Every contig of a gzip file; a few bytes can unpack to any number of bases."""
    parts: dict[str, list[bytes]] = {}
    n_bases = 0
    for block in stream_fasta(path):
        n_bases += len(block.sequence)
        if n_bases > MAX_GZIP_BP:
            raise _too_large(path, f"more than {MAX_GZIP_BP:,} bases")
        parts.setdefault(block.name, []).append(block.sequence)
    return {name: b"".join(parts.pop(name)) for name in list(parts)}


def _too_large(path: Path, came: str) -> FormatError:
    return FormatError(
        f"{path}: expected a plain or bgzip file for random access, got gzip of {came}; run: gunzip, then bgzip"
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as raw:
            return raw.read(HEAD_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error
