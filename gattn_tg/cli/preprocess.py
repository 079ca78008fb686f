"""`gattn preprocess genome.fa -o genome.gattn`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import partial
from itertools import chain

from gattn_tg.cli import output
from gattn_tg.cli.annotate import chosen_vocabulary, n_processes, piece_stream, plain_bytes
from gattn_tg.cli.bar import Bar
from gattn_tg.data import EncodedPart, in_order, write_encoded
from gattn_tg.errors import ConfigError
from gattn_tg.io import stream_fasta
from gattn_tg.motif import MotifVocabulary, Piece, annotate_group, groups
from gattn_tg.seq import encode


def run(arguments: argparse.Namespace) -> int:
    """Writes an encoded genome, and its motif ids unless --no-motifs was said."""
    began = time.perf_counter()
    if arguments.no_motifs and arguments.vocabulary is not None:
        raise ConfigError(
            "gattn preprocess: expected either --vocab or --no-motifs, got both; remove one"
        )
    vocabulary = None if arguments.no_motifs else chosen_vocabulary(arguments.vocabulary)
    bar = Bar("encoded", quiet=arguments.json, total=plain_bytes(arguments.genome))
    parts = _encoded(arguments) if vocabulary is None else _annotated(arguments, vocabulary)
    sizes = write_encoded(
        arguments.output, bar.over((len(part.bases), part) for part in parts), vocabulary, overwrite=arguments.overwrite
    )
    n_bases, seconds = sum(sizes.values()), time.perf_counter() - began
    if arguments.json:
        output.say_json(
            {
                "output": str(arguments.output), "sequences": len(sizes), "bases": n_bases,
                "n_motifs": vocabulary.n_motifs if vocabulary else 0, "seconds": round(seconds, 2),
            }
        )  # fmt: skip
        return 0
    output.say(f"{n_bases:,} bases of {len(sizes):,} sequences -> {arguments.output}  ({seconds:.1f} s)")
    return 0


def _encoded(arguments: argparse.Namespace) -> Iterator[EncodedPart]:
    for block in stream_fasta(arguments.genome):
        yield EncodedPart(block.name, block.start, encode(block.sequence), None)


def _annotated(arguments: argparse.Namespace, vocabulary: MotifVocabulary) -> Iterator[EncodedPart]:
    processes = n_processes(arguments.genome, arguments.processes)
    work = partial(annotated_parts, vocabulary=vocabulary)
    parts = in_order(work, groups(piece_stream(arguments.genome, vocabulary)), processes)
    return chain.from_iterable(parts)


def annotated_parts(group: list[Piece], vocabulary: MotifVocabulary) -> list[EncodedPart]:
    """The work of one process on some pieces."""
    return [
        EncodedPart(done.chrom, done.start, piece.ids[piece.left : piece.right], done.motif_ids)
        for piece, done in zip(group, annotate_group(group, vocabulary), strict=True)
    ]
