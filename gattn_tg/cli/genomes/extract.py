"""`gattn extract genome.fa --bed peaks.bed --width 1000 -o peaks.fa`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from gattn_tg.cli import output
from gattn_tg.errors import ConfigError, CoordinateError, counted
from gattn_tg.io import Genome, read_loci, replacing, replacing_path
from gattn_tg.seq import Interval, encode, one_hot

LINE_BP = 60
TEXT = (".fa", ".fasta", ".fa.gz", ".fasta.gz")


def run(arguments: argparse.Namespace) -> int:
    """Writes loci as FASTA or one-hot; an interval on "-" is read on that strand."""
    output.check("gattn extract", arguments.output, overwrite=arguments.overwrite, as_json=False)
    as_text = arguments.output.name.endswith(TEXT)
    if not as_text and arguments.output.suffix != ".npz":
        raise ConfigError(
            f"gattn extract: {arguments.output}: expected a name that ends in {', '.join(TEXT)} or .npz, got "
            "another; rename it"
        )
    with Genome(arguments.genome, rename=arguments.rename) as genome:
        loci = [_sized(arguments, where, name, locus) for where, name, locus in _loci(arguments, genome)]
        if not loci:
            raise ConfigError("gattn extract: expected loci, got none; add --locus or --bed")
        sequences = (genome.fetch(locus, pad=arguments.pad) for _, locus in loci)
        if as_text:
            with replacing(arguments.output, overwrite=arguments.overwrite) as file:
                for header, sequence in zip(headers(loci), sequences, strict=True):
                    file.write(f">{header}\n")
                    for at in range(0, len(sequence), LINE_BP):
                        file.write(sequence[at : at + LINE_BP].decode("ascii") + "\n")
        else:
            _write_one_hot(arguments, [locus for _, locus in loci], sequences)
    n_bases = sum(len(locus) for _, locus in loci)
    if arguments.json:
        output.say_json({"output": str(arguments.output), "n": len(loci), "bases": n_bases})
    else:
        output.say(f"{counted(len(loci), 'interval')}, {counted(n_bases, 'base')} -> {arguments.output}")
    return 0


def headers(loci: Iterable[tuple[str, Interval]]) -> Iterator[str]:
    """FASTA headers with a name of its own for every locus: that of a place which comes again ends in /2, /3, ..."""
    times: Counter[str] = Counter()
    for name, locus in loci:
        place = str(locus)
        times[place] += 1
        again = f"/{times[place]}" if times[place] > 1 else ""
        yield f"{place}{again}{'' if name == '.' else ' ' + name}"


def _sized(arguments: argparse.Namespace, where: str, name: str, locus: Interval) -> tuple[str, Interval]:
    wide = locus if arguments.width is None else locus.resize(arguments.width)
    if not len(wide):
        raise CoordinateError(
            f"gattn extract: {where}: expected a locus of at least one base, got {locus}; remove it or add --width"
        )
    return name, wide


def _loci(arguments: argparse.Namespace, genome: Genome) -> Iterator[tuple[str, str, Interval]]:
    """Where a locus was named, its own name, and its place."""
    for text in arguments.locus:
        yield "--locus", ".", genome.renamed(Interval.parse(text, one_based=arguments.one_based))
    if arguments.bed is None:
        return
    # With --width, the middle of the new window is the summit.
    found = read_loci(
        arguments.bed, sizes=genome.sizes, rename=arguments.rename, peaks=arguments.peaks, width=arguments.width
    )
    for locus in found:
        yield f"{arguments.bed}, line {locus.line}", locus.name, locus.window


def _write_one_hot(arguments: argparse.Namespace, loci: list[Interval], sequences: Iterator[bytes]) -> None:
    widths = {len(locus) for locus in loci}
    if len(widths) > 1:
        raise ConfigError(
            f"gattn extract: expected loci of one width for npz, got {min(widths)} to {max(widths)} bases; "
            "add --width"
        )
    hot = np.stack([one_hot(encode(sequence)) for sequence in sequences]).astype(np.int8)
    with replacing_path(arguments.output, overwrite=arguments.overwrite) as path, path.open("wb") as file:
        np.savez_compressed(file, ohe=hot, loci=np.array([str(locus) for locus in loci]))
