"""Encoded genomes: base ids and motif ids on disk, mapped into memory, so that a window is a copy of bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.io.contigs import ContigNames
from gattn_tg.io.strict_json import parse
from gattn_tg.io.whole import new_folder, opened
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.codec import decode
from gattn_tg.seq.interval import Interval
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.types import Int, UInt8

FORMAT = "gattn_tg encoded genome 1"
BASES, MOTIFS, HEADER = "bases.u8", "motifs.u8", "genome.json"
MAX_HEADER = 1 << 30  # bytes; an assembly may have millions of contigs


class EncodedPart(NamedTuple):
    """A part of a contig; the parts of a contig follow each other, the first begins at 0."""

    chrom: str
    start: int
    bases: UInt8[np.ndarray, "n"]
    motif_ids: UInt8[np.ndarray, "n"] | None


class EncodedGenome:
    """A genome that `write_encoded` wrote.

    The folder holds `bases.u8`, one byte (A0 C1 G2 T3 N4) per base, all contigs one after the other; `motifs.u8`, one
    motif id per base, where motifs were asked for; `genome.json` with the names and sizes of the contigs in the same
    order and the vocabulary. Opening it reads only the last.

    Args:
        folder: where it is.
        rename: how names in intervals become names of the genome, see `io.ContigNames`.

    Raises:
        FormatError: no such folder, or files that do not fit together.
    """

    def __init__(self, folder: str | Path, *, rename: Mapping[str, str] | str | None = None) -> None:
        self.folder = Path(folder)
        # All files at once, so that they are of one genome even while `write_encoded` replaces it by another.
        with _files(self.folder) as files:
            header = _header(self.folder, files[HEADER])
            self.sizes: dict[str, int] = dict(header["contigs"])
            self.vocabulary = MotifVocabulary.from_toml(header["vocabulary"]) if header["vocabulary"] else None
            n_bases = sum(self.sizes.values())
            self.bases = _mapped(self.folder / BASES, files.get(BASES), n_bases)
            self.motif_ids = _mapped(self.folder / MOTIFS, files.get(MOTIFS), n_bases) if self.vocabulary else None
        self.names = ContigNames(self.sizes, rename)
        self.chroms = tuple(self.sizes)
        self.offsets = np.concatenate([[0], np.cumsum(list(self.sizes.values()))])
        self._at = {chrom: int(offset) for chrom, offset in zip(self.chroms, self.offsets, strict=False)}

    def windows(
        self, intervals: Iterable[Interval], width: int, *, motifs: bool = True
    ) -> tuple[UInt8[np.ndarray, "b n"], UInt8[np.ndarray, "b n"]]:
        """Return base ids and motif ids of intervals of one width, N and 0 outside the contigs.

        Args:
            intervals: a "-" strand is not looked at; turn windows with `augment.turn`.
            width: bases of each.
            motifs: without it, or in a genome without motifs, all motif ids are 0.

        Raises:
            CoordinateError: an unknown contig, or an interval of another width.
            FormatError: ids that mean nothing; the files are damaged.
        """
        intervals = list(intervals)
        starts = self.positions(intervals, width)
        inside = starts >= 0
        if inside.all():
            return self.gather(starts, width, motifs=motifs)
        bases = np.full((len(intervals), width), N, dtype=np.uint8)
        motif_ids = np.zeros((len(intervals), width), dtype=np.uint8)
        bases[inside], motif_ids[inside] = self.gather(starts[inside], width, motifs=motifs)
        for row in np.flatnonzero(~inside).tolist():
            interval = intervals[row]
            chrom = self.names.resolve(interval.chrom, f"interval {interval}")
            offset, size = self._at[chrom], self.sizes[chrom]
            start, end = max(interval.start, 0), min(interval.end, size)
            if start < end:
                here = slice(start - interval.start, end - interval.start)
                bases[row, here] = self.bases[offset + start : offset + end]
                if motifs and self.motif_ids is not None:
                    motif_ids[row, here] = self.motif_ids[offset + start : offset + end]
        return self._known(bases, motif_ids)

    def positions(self, intervals: Iterable[Interval], width: int) -> Int[np.ndarray, "b"]:
        """Return where intervals of one width begin in `bases`, -1 for one that is not wholly on its contig.

        Raises:
            CoordinateError: an unknown contig, or an interval of another width.
        """
        starts = []
        for interval in intervals:
            if interval.end - interval.start != width:
                raise CoordinateError(
                    f"interval {interval}: expected {width} bases, but it has {len(interval)}; resize it"
                )
            chrom = interval.chrom
            if chrom not in self._at:
                chrom = self.names.resolve(chrom, f"interval {interval}")
            inside = interval.start >= 0 and interval.end <= self.sizes[chrom]
            starts.append(self._at[chrom] + interval.start if inside else -1)
        return np.array(starts, dtype=np.int64)

    def contigs(self) -> Iterator[tuple[str, UInt8[np.ndarray, "n"]]]:
        """Yield the name and all base ids of every contig, each read once.

        Raises:
            FormatError: ids that mean nothing; the file is damaged.
        """
        for chrom, size in self.sizes.items():
            bases = self.bases[self._at[chrom] : self._at[chrom] + size]
            self._known(bases, bases[:0])
            yield chrom, bases

    def gather(
        self, starts: Int[np.ndarray, "b"], width: int, *, motifs: bool = True
    ) -> tuple[UInt8[np.ndarray, "b n"], UInt8[np.ndarray, "b n"]]:
        """Return the windows that begin at `positions`; each is one copy of bytes from the mapped file."""
        if not len(starts):
            return np.zeros((0, width), dtype=np.uint8), np.zeros((0, width), dtype=np.uint8)
        bases: np.ndarray = sliding_window_view(self.bases, width)[starts]
        if not motifs or self.motif_ids is None:
            return self._known(bases, np.zeros_like(bases))
        return self._known(bases, sliding_window_view(self.motif_ids, width)[starts])

    def _known(
        self, bases: UInt8[np.ndarray, "..."], motif_ids: UInt8[np.ndarray, "..."]
    ) -> tuple[UInt8[np.ndarray, "..."], UInt8[np.ndarray, "..."]]:
        """The same, after a look at the ids: one beyond its table would be answered from other memory."""
        n_classes = len(self.vocabulary.classes) if self.vocabulary else 0
        for path, ids, most in ((BASES, bases, N), (MOTIFS, motif_ids, n_classes)):
            if ids.size and (found := int(ids.max())) > most:
                raise FormatError(f"{self.folder / path}: expected ids from 0 to {most}, got {found}; preprocess again")
        return bases, motif_ids

    def ids(self, interval: Interval) -> UInt8[np.ndarray, "n"]:
        """Return the base ids of an interval in reading direction, N outside its contig."""
        bases, _ = self.windows([interval], len(interval), motifs=False)
        row: np.ndarray = bases[0]
        return reverse_complement(row) if interval.strand == "-" else row

    def padded(self, interval: Interval) -> bytes:
        """Return the letters of an interval, N outside its contig, as `io.Genome.padded` does."""
        return decode(self.ids(interval)).encode("ascii")


def write_encoded(
    folder: str | Path,
    parts: Iterable[EncodedPart],
    vocabulary: MotifVocabulary | None,
    *,
    overwrite: bool = False,
) -> dict[str, int]:
    """Write an encoded genome and return the sizes of its contigs; the folder appears when all is written.

    Args:
        folder: where to; its parent exists.
        parts: contigs in order, in parts of any size.
        vocabulary: what `motif_ids` mean; None writes no motif ids.
        overwrite: replace a folder that holds an encoded genome; anything else there is refused.

    Raises:
        GattnError: the folder exists, or cannot be written.
    """
    sizes: dict[str, int] = {}
    with new_folder(Path(folder), HEADER, (BASES, MOTIFS, HEADER), overwrite=overwrite) as new:
        with (new / BASES).open("wb") as bases, (new / MOTIFS).open("wb") as motifs:
            for part in parts:
                bases.write(part.bases.tobytes())
                if vocabulary is not None and part.motif_ids is not None:
                    motifs.write(part.motif_ids.tobytes())
                sizes[part.chrom] = part.start + len(part.bases)
        if vocabulary is None:
            (new / MOTIFS).unlink()
        header = {"format": FORMAT, "contigs": list(sizes.items()), "vocabulary": vocabulary and vocabulary.to_toml()}
        (new / HEADER).write_text(json.dumps(header, indent=1) + "\n", encoding="utf-8")
    return sizes


@contextmanager
def _files(folder: Path) -> Iterator[dict[str, BinaryIO]]:
    """The files of a genome by name, as far as they are there; the header always is."""
    try:
        with opened(folder, (HEADER,), optional=(BASES, MOTIFS)) as files:
            yield files
    except OSError as error:
        raise FormatError(
            f"{folder}: expected a folder that gattn preprocess made, got: "
            f"{(error.strerror or str(error)).lower()}; check the path"
        ) from error


def _header(folder: Path, file: BinaryIO) -> dict[str, Any]:
    try:
        header = parse(file.read(), str(folder / HEADER), MAX_HEADER)
        right = (
            header["format"] == FORMAT
            and isinstance(sizes := header["contigs"], list)
            and all(isinstance(n, str) and type(size) is int and size > 0 for n, size in sizes)
            and len({n for n, _ in sizes}) == len(sizes)
            and isinstance(header["vocabulary"], str | None)
        )  # fmt: skip
    except FormatError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(
            f"{folder / HEADER}: expected names and sizes, got {error!r}; preprocess again"
        ) from error
    if not right:
        raise FormatError(f"{folder / HEADER}: expected format {FORMAT!r}, got another; preprocess again")
    return dict(header)


def _mapped(path: Path, file: BinaryIO | None, n_bases: int) -> UInt8[np.ndarray, "n"]:
    found = file.seek(0, os.SEEK_END) if file else 0
    if file is None or found != n_bases or not n_bases:
        raise FormatError(f"{path}: expected {n_bases} bytes, got {found}; preprocess again")
    # The plain view of the mapping: slices of np.memmap itself are ten times as slow to make.
    return np.memmap(file, dtype=np.uint8, mode="r").view(np.ndarray)
