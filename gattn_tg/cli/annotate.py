"""`gattn annotate INPUT -o out.bed.gz --bigwig density.bw`."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.cli import output
from gattn_tg.cli.bar import Bar
from gattn_tg.data.workers import in_order
from gattn_tg.io import BedRow, replacing, stream_fasta, write_bigwig
from gattn_tg.io.source import GZIP_MAGIC
from gattn_tg.motif import MotifVocabulary, Piece, annotate_piece, hits, pieces
from gattn_tg.motif.sites import STRANDS, Sites
from gattn_tg.seq import encode

ALONE_BYTES = 1_000_000
"""Files up to this size are annotated sooner than other processes have started."""
SOME_BINS = 1 << 16


class Part(NamedTuple):
    """What a process makes of a piece: BED, sites per motif id, and bases in motifs per bin, from `first_bin` on."""

    chrom: str
    start: int
    n_bases: int
    text: str
    counts: np.ndarray
    first_bin: int
    covered: np.ndarray


def run(arguments: argparse.Namespace) -> int:
    """Writes every hit of every motif class as BED9, sorted; without -o plain BED6 goes to standard output."""
    for path in (arguments.output, arguments.bigwig):
        if path is not None:
            output.check("gattn annotate", path, overwrite=arguments.overwrite, as_json=False)
    output.check("gattn annotate", arguments.output, overwrite=True, as_json=arguments.json)
    began = time.perf_counter()
    vocabulary = chosen_vocabulary(arguments.vocabulary)
    counts = np.zeros(vocabulary.n_motifs, dtype=np.int64)
    sizes: dict[str, int] = {}
    density: dict[str, list[Part]] = {}
    full = arguments.output is not None
    work = partial(annotated, vocabulary=vocabulary, bin_bp=arguments.bin_bp, full=full)
    parts = in_order(work, piece_stream(arguments.input, vocabulary), n_processes(arguments.input, arguments.processes))
    bar = Bar("annotated", quiet=arguments.json, total=plain_bytes(arguments.input))

    def texts() -> Iterator[str]:
        for part in bar.over((part.n_bases, part) for part in parts):
            counts[:] += part.counts
            sizes[part.chrom] = part.start + part.n_bases
            if arguments.bigwig is not None:
                density.setdefault(part.chrom, []).append(part._replace(text=""))
            yield part.text

    if full:
        with replacing(arguments.output, overwrite=arguments.overwrite) as file:
            for text in texts():
                file.write(text)
    else:
        for text in texts():
            if text:
                output.say(text.removesuffix("\n"))
    if arguments.bigwig is not None:
        values = density_values(density, sizes, arguments.bin_bp)
        write_bigwig(arguments.bigwig, sizes, values, overwrite=arguments.overwrite)
    if full:
        seconds = time.perf_counter() - began
        report(arguments, Counter(dict(zip(vocabulary.names, counts.tolist(), strict=True))), sizes, seconds)
    return 0


def report(arguments: argparse.Namespace, counts: Counter[str], sizes: dict[str, int], seconds: float) -> None:
    """Say what was written, as text or as the object of --json."""
    n_bases, n = sum(sizes.values()), counts.total()
    if arguments.json:
        found = {name: count for name, count in sorted(counts.items()) if count}
        output.say_json(
            {
                "output": str(arguments.output), "n": n, "sequences": len(sizes), "bases": n_bases, "motifs": found,
                "bigwig": None if arguments.bigwig is None else str(arguments.bigwig), "seconds": round(seconds, 2),
            }
        )  # fmt: skip
        return
    output.say(f"{n:,} sites in {n_bases:,} bases -> {arguments.output}  ({seconds:.1f} s)")
    for name, count in counts.items():
        if count:
            output.say(f"  {name:<18} {count:>9,}")


def chosen_vocabulary(path: Path | None) -> MotifVocabulary:
    """The vocabulary of a file, or the default one."""
    return MotifVocabulary.default() if path is None else MotifVocabulary.from_toml(path)


def n_processes(path: Path, asked: int | None) -> int:
    """How many processes to use: those asked for, else one per core, and one for a small file."""
    if asked is not None:
        return asked
    small = not path.is_file() or path.stat().st_size <= ALONE_BYTES
    return 1 if small else os.cpu_count() or 1


def plain_bytes(path: Path) -> int | None:
    """The size of a file that is not packed, nearly its number of bases; None for others."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    return None if packed else path.stat().st_size


def piece_stream(path: Path, vocabulary: MotifVocabulary) -> Iterator[Piece]:
    """The contigs of a FASTA file in pieces for `annotate_piece`."""
    blocks = ((block.name, block.start, encode(block.sequence)) for block in stream_fasta(path))
    return pieces(blocks, vocabulary)


def annotated(piece: Piece, vocabulary: MotifVocabulary, bin_bp: int, full: bool) -> Part:
    """The work of one process on one piece."""
    done = annotate_piece(piece, vocabulary)
    inside = done.start + np.flatnonzero(done.motif_ids)
    first_bin = done.start // bin_bp
    return Part(
        chrom=done.chrom,
        start=done.start,
        n_bases=len(done.motif_ids),
        text=bed_text(done.chrom, done.sites, vocabulary, full),
        counts=np.bincount(done.sites.ids, minlength=vocabulary.n_motifs),
        first_bin=first_bin,
        covered=np.bincount(inside // bin_bp - first_bin).astype(np.uint32),
    )


def bed_text(chrom: str, sites: Sites, vocabulary: MotifVocabulary, full: bool) -> str:
    """Sites as lines of BED9, or BED6; scores, which have a unit of their own per class, are scaled to 0..1000."""
    names = vocabulary.names
    rgb = [",".join(str(byte) for byte in bytes.fromhex(colour[1:])) for colour in vocabulary.colours]
    scores = np.clip(np.rint(1000 * sites.scores), 0, 1000).astype(np.int64)
    rows = zip(
        *(part.tolist() for part in (sites.starts, sites.ends, sites.ids, sites.strands, scores)), strict=True
    )
    if full:
        return "".join(
            f"{chrom}\t{start}\t{end}\t{names[k]}\t{score}\t{STRANDS[strand]}\t{start}\t{end}\t{rgb[k]}\n"
            for start, end, k, strand, score in rows
        )
    return "".join(
        f"{chrom}\t{start}\t{end}\t{names[k]}\t{score}\t{STRANDS[strand]}\n" for start, end, k, strand, score in rows
    )


def density_values(
    density: dict[str, list[Part]], sizes: dict[str, int], bin_bp: int
) -> Iterator[tuple[str, int, int, float]]:
    """The share of bases in motifs of each bin, contig by contig."""
    for chrom, parts in density.items():
        covered = np.zeros(-(-sizes[chrom] // bin_bp), dtype=np.int64)
        for part in parts:
            covered[part.first_bin : part.first_bin + len(part.covered)] += part.covered
        starts = np.arange(len(covered)) * bin_bp
        ends = np.minimum(starts + bin_bp, sizes[chrom])
        shares = covered / (ends - starts)
        for at in range(0, len(starts), SOME_BINS):  # as Python numbers they are many times as large
            here = slice(at, at + SOME_BINS)
            for start, end, share in zip(*(a[here].tolist() for a in (starts, ends, shares)), strict=True):
                yield chrom, start, end, share


def bed_rows(chrom: str, offset: int, sequence: bytes, vocabulary: MotifVocabulary) -> Iterator[BedRow]:
    """The hits of one sequence as BED; scores, which have a unit of their own per class, are scaled to 0..1000."""
    colours = vocabulary.colours
    for hit in hits(sequence, vocabulary):
        score = max(0, min(1000, round(1000 * hit.score)))
        yield BedRow(chrom, offset + hit.start, offset + hit.end, hit.name, score, hit.strand, colours[hit.id])
