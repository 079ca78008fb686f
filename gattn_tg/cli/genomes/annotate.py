"""`gattn annotate INPUT -o out.bed.gz --bigwig density.bw`."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.cli import output
from gattn_tg.cli.bar import Bar
from gattn_tg.cli.computer.environment import n_launched
from gattn_tg.data.workers import in_order
from gattn_tg.errors import ConfigError
from gattn_tg.escaping import field
from gattn_tg.io import BedRow, check_bigwig, replacing_path, stream_fasta, write_bigwig
from gattn_tg.io.replacing import text_file
from gattn_tg.io.source import GZIP_MAGIC, Source
from gattn_tg.io.tabix import TabixIndex
from gattn_tg.io.whole import sync
from gattn_tg.motif import AnnotatedPiece, MotifVocabulary, Piece, annotate_group, grades, groups, pieces
from gattn_tg.motif.sites import STRANDS, Sites, find_all, sites
from gattn_tg.seq import encode

ALONE_BYTES = 1_000_000
"""Files up to this size are annotated sooner than other processes have started."""
SOME_BINS = 1 << 16


class Covered(NamedTuple):
    """A stretch of a contig: its sites, and bases in motifs per bin, from `first_bin` on."""

    chrom: str
    start: int
    n_bases: int
    n_sites: int
    first_bin: int
    covered: np.ndarray


class Part(NamedTuple):
    """What a process makes of pieces: BED, where its lines lie, sites per motif id, and the pieces one by one."""

    text: str
    starts: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    pieces: list[Covered]


class Work(NamedTuple):
    """What all parts give together."""

    counts: np.ndarray
    sizes: dict[str, int]
    density: dict[str, list[Covered]]


def run(arguments: argparse.Namespace) -> int:
    """Writes every hit of every motif class as BED, sorted; without -o to standard output."""
    if not arguments.mpi and n_launched() == 1:
        return annotate(arguments)
    from gattn_tg.cli import mpi  # brings tinygrad along, which one process has no need of

    with mpi.world(arguments.mpi) as world:
        return annotate(arguments, partial(mpi.in_turns, ranks=world), world.rank == 0)


def annotate(
    arguments: argparse.Namespace, over: Callable[..., Iterator[Part]] | None = None, is_first: bool = True
) -> int:
    """The same.

    Args:
        arguments: those of the verb.
        over: shares the parts out over the processes of a launcher; None takes processes of this one.
        is_first: whether this process writes.
    """
    check(arguments)
    began = time.perf_counter()
    vocabulary = chosen_vocabulary(arguments.vocabulary)
    work = Work(np.zeros(vocabulary.n_motifs, dtype=np.int64), {}, {})
    function = partial(annotated, vocabulary=vocabulary, bin_bp=arguments.bin_bp)
    parts_of = groups(piece_stream(arguments.input, vocabulary))
    found = (
        over(function, parts_of) if over
        else in_order(function, parts_of, n_processes(arguments.input, arguments.processes))
    )  # fmt: skip
    if not is_first:
        return sum(0 for _ in found)
    bar = Bar("annotated", quiet=arguments.json, total=plain_bytes(arguments.input))
    parts = counted(bar.over((sum(piece.n_bases for piece in part.pieces), part) for part in found), work, arguments)
    if arguments.output is None:
        for part in parts:
            if part.text:
                output.say(part.text.removesuffix("\n"))
        write_density(arguments, work)
        return 0
    # All files are whole and on disk before the first gets its name: BigWig, index, then BED. Where a name cannot be
    # given, what stood under it stands there still, the run ends with exit code 2, and the same command makes all anew.
    with replacing_path(arguments.output, overwrite=arguments.overwrite) as bed:
        with text_file(bed, arguments.output) as file:
            index = TabixIndex()
            for part in parts:
                file.write(part.text)
                if arguments.tbi:
                    add(index, part)
        with index_file(arguments) as tbi:
            if tbi is not None:
                index.write(tbi, bed)
            sync(bed)  # a full disk shows here, before another of the files has its name
            write_density(arguments, work)
    report(
        arguments, Counter(dict(zip(vocabulary.names, work.counts.tolist(), strict=True))), work.sizes,
        time.perf_counter() - began,
    )  # fmt: skip
    return 0


def check(arguments: argparse.Namespace) -> None:
    """Refuses outputs that cannot be written, before any work is done for them."""
    verb, bed, bigwig = "gattn annotate", arguments.output, arguments.bigwig
    index = None if bed is None else bed.with_name(bed.name + output.TBI)
    for path in (bed, bigwig, index if arguments.tbi else None):
        if path is not None:
            output.check(verb, path, overwrite=arguments.overwrite, as_json=False)
    output.check(verb, bed, overwrite=True, as_json=arguments.json)
    if bigwig is not None:
        check_bigwig(bigwig)
    if arguments.tbi and (bed is None or bed.suffix != ".gz"):
        raise ConfigError(f"{verb}: --tbi: expected -o NAME.bed.gz, got {bed or 'none'}; an index needs a packed file")
    if not arguments.tbi and bed is not None and index is not None and index.exists():
        raise ConfigError(
            f"{verb}: {index}: expected no index of an earlier file, got one; add --tbi for a new one, or remove it"
        )


def counted(parts: Iterator[Part], work: Work, arguments: argparse.Namespace) -> Iterator[Part]:
    """The parts as they come, their numbers added up on the way."""
    for part in parts:
        work.counts[:] += part.counts
        for piece in part.pieces:
            work.sizes[piece.chrom] = piece.start + piece.n_bases
            if arguments.bigwig is not None:
                work.density.setdefault(piece.chrom, []).append(piece)
        yield part


def add(index: TabixIndex, part: Part) -> None:
    """Tells the index where the lines of a part lie."""
    ends = np.flatnonzero(np.frombuffer(part.text.encode(), dtype=np.uint8) == ord("\n")) + 1
    n_bytes = np.diff(ends, prepend=0)
    at = 0
    for piece in part.pieces:
        here = slice(at, at + piece.n_sites)
        index.add(field(piece.chrom), part.starts[here], part.ends[here], n_bytes[here])
        at += piece.n_sites


@contextmanager
def index_file(arguments: argparse.Namespace) -> Iterator[Path | None]:
    """Where the index is written to, None without --tbi."""
    if not arguments.tbi:
        yield None
        return
    path = arguments.output.with_name(arguments.output.name + output.TBI)
    with replacing_path(path, overwrite=arguments.overwrite) as part:
        yield part


def write_density(arguments: argparse.Namespace, work: Work) -> None:
    """The share of bases in motifs as BigWig, if it is asked for."""
    if arguments.bigwig is not None:
        values = density_values(work.density, work.sizes, arguments.bin_bp)
        write_bigwig(arguments.bigwig, work.sizes, values, overwrite=arguments.overwrite)


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


def piece_stream(path: Path | Source, vocabulary: MotifVocabulary) -> Iterator[Piece]:
    """The contigs of a FASTA file in pieces for `annotate_piece`."""
    blocks = ((block.name, block.start, encode(block.sequence)) for block in stream_fasta(path))
    return pieces(blocks, vocabulary)


def annotated(group: list[Piece], vocabulary: MotifVocabulary, bin_bp: int) -> Part:
    """The work of one process on some pieces."""
    done = annotate_group(group, vocabulary)
    sites = Sites(*(np.concatenate(columns) for columns in zip(*(piece.sites for piece in done), strict=True)))
    return Part(
        text=bed_text([(field(piece.chrom), len(piece.sites.starts)) for piece in done], sites, vocabulary),
        starts=sites.starts,
        ends=sites.ends,
        counts=np.bincount(sites.ids, minlength=vocabulary.n_motifs),
        pieces=[covered(piece, bin_bp) for piece in done],
    )


def covered(done: AnnotatedPiece, bin_bp: int) -> Covered:
    """The bases in motifs of a piece, per bin."""
    first_bin = done.start // bin_bp
    bins = (done.start + np.flatnonzero(done.motif_ids)) // bin_bp - first_bin
    return Covered(
        done.chrom, done.start, len(done.motif_ids), len(done.sites.starts), first_bin,
        np.bincount(bins).astype(np.uint32),
    )  # fmt: skip


def bed_text(contigs: list[tuple[str, int]], sites: Sites, vocabulary: MotifVocabulary) -> str:
    """Sites as lines of BED9 and a tenth column, the p-value of a matrix's site; see `motif.grades` for both scores.

    Args:
        contigs: name and number of sites of each, in the order of the sites.
    """
    names = vocabulary.names
    rgb = [",".join(str(byte) for byte in bytes.fromhex(colour[1:])) for colour in vocabulary.colours]
    scores, pvalues = grades(sites, vocabulary)
    chroms = chain.from_iterable(repeat(chrom, n) for chrom, n in contigs)
    rows = zip(
        chroms, *(part.tolist() for part in (sites.starts, sites.ends, sites.ids, sites.strands, scores, pvalues)),
        strict=True,
    )  # fmt: skip
    return "".join(
        f"{chrom}\t{start}\t{end}\t{names[k]}\t{score}\t{STRANDS[strand]}\t{start}\t{end}\t{rgb[k]}\t"
        f"{'.' if pvalue != pvalue else format(pvalue, '.3g')}\n"
        for chrom, start, end, k, strand, score, pvalue in rows
    )


def density_values(
    density: dict[str, list[Covered]], sizes: dict[str, int], bin_bp: int
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
    """The hits of one sequence as BED9."""
    found = sites(find_all(encode(sequence), vocabulary))
    scores, _ = grades(found, vocabulary)
    columns = (found.starts + offset, found.ends + offset, found.ids, found.strands, scores)
    for start, end, k, strand, score in zip(*(column.tolist() for column in columns), strict=True):
        yield BedRow(chrom, start, end, vocabulary.names[k], score, STRANDS[strand], vocabulary.colours[k])
