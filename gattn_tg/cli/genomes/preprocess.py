"""`gattn preprocess genome.fa -o genome.gattn`, and `gattn preprocess a.csv b.csv -o train.gattn` of tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from gattn_tg.cli import output
from gattn_tg.cli.bar import Bar
from gattn_tg.cli.genomes.annotate import chosen_vocabulary, n_processes, piece_stream, plain_bytes
from gattn_tg.data import EncodedPart, in_order, write_encoded
from gattn_tg.data.tables.write import write_table
from gattn_tg.errors import ConfigError, counted
from gattn_tg.io import TableColumns, stream_fasta
from gattn_tg.io.numbers import NumberColumns
from gattn_tg.io.source import Source
from gattn_tg.motif import MotifVocabulary, Piece, annotate_group, groups
from gattn_tg.seq import encode

SEQUENCE, LABEL = "sequence", "label"  # columns, as [data] names them where nothing is said
METHYLATION = "methylation"  # the vocabulary that has this name in [data], too
OF_TABLES = ("task", "label_column", "label_columns", "sequence_column", "state_column")


def run(arguments: argparse.Namespace) -> int:
    """Writes an encoded genome, or an encoded table of all tables that are named."""
    with Source(arguments.inputs[0]) as first:
        if len(arguments.inputs) == 1 and first.first() in (b">", b""):
            return genome(arguments, first)
        return tables(arguments, [first, *arguments.inputs[1:]])


def genome(arguments: argparse.Namespace, source: Source) -> int:
    """Writes an encoded genome, and its motif ids unless --no-motifs was said."""
    began = time.perf_counter()
    for name in OF_TABLES:
        if getattr(arguments, name) is not None:
            raise ConfigError(f"gattn preprocess: --{name.replace('_', '-')}: expected a table for it, got FASTA; "
                              "leave it out")
    if arguments.no_motifs and arguments.vocabulary is not None:
        raise ConfigError(
            "gattn preprocess: expected either --vocab or --no-motifs, got both; remove one"
        )
    vocabulary = None if arguments.no_motifs else chosen_vocabulary(arguments.vocabulary)
    bar = Bar("encoded", quiet=arguments.json, total=plain_bytes(source.path))
    parts = _encoded(source) if vocabulary is None else _annotated(source, arguments.processes, vocabulary)
    sizes = write_encoded(
        arguments.output, bar.over((len(part.bases), part) for part in parts), vocabulary, overwrite=arguments.overwrite
    )
    n_motifs = vocabulary.n_motifs if vocabulary else 0
    return _told(arguments, sum(sizes.values()), len(sizes), n_motifs, time.perf_counter() - began)


def tables(arguments: argparse.Namespace, sources: list[Path | Source]) -> int:
    """Writes an encoded table."""
    began = time.perf_counter()
    if arguments.no_motifs:
        raise ConfigError("gattn preprocess: --no-motifs: expected a genome for it, got a table; leave it out")
    columns = _columns(arguments)
    methylation = str(arguments.vocabulary) == METHYLATION
    vocabulary = MotifVocabulary.methylation() if methylation else chosen_vocabulary(arguments.vocabulary)
    if bool(columns.states) != bool(vocabulary.states):
        raise ConfigError("gattn preprocess: expected --state-column together with a vocabulary that has classes of "
                          "measured states, got one of them; give both or none")
    processes = max(n_processes(path, arguments.processes) for path in arguments.inputs)
    done = write_table(
        arguments.output, sources, columns, vocabulary, processes=processes, overwrite=arguments.overwrite
    )
    return _told(arguments, done.n_bases, done.n_rows, vocabulary.n_motifs, time.perf_counter() - began)


def _columns(arguments: argparse.Namespace) -> TableColumns:
    """The columns to read of tables."""
    task = arguments.task or "classes"
    sequence, states = arguments.sequence_column or SEQUENCE, arguments.state_column
    if (task == "classes") != (arguments.label_columns is None):
        raise ConfigError("gattn preprocess: expected --label-columns with --task labels or values, and only there, "
                          f"got --task {task}; correct one of them")
    if task == "classes":
        return TableColumns(sequence, arguments.label_column or LABEL, states=states)
    if arguments.label_column is not None:
        raise ConfigError(f"gattn preprocess: --label-column: expected --label-columns with --task {task}, got this; "
                          "name the columns there")
    numbers = NumberColumns(tuple(arguments.label_columns), "yes_no" if task == "labels" else "number")
    return TableColumns(sequence, None, numbers=numbers, states=states)


def _told(arguments: argparse.Namespace, n_bases: int, n_sequences: int, n_motifs: int, seconds: float) -> int:
    """Says what was written."""
    if arguments.json:
        output.say_json(
            {
                "output": str(arguments.output), "sequences": n_sequences, "bases": n_bases, "n_motifs": n_motifs,
                "seconds": round(seconds, 2),
            }
        )  # fmt: skip
    else:
        output.say(f"{counted(n_bases, 'base')} of {counted(n_sequences, 'sequence')} -> {arguments.output}  "
                   f"({seconds:.1f} s)")
    return 0


def _encoded(source: Source) -> Iterator[EncodedPart]:
    for block in stream_fasta(source):
        yield EncodedPart(block.name, block.start, encode(block.sequence), None)


def _annotated(source: Source, asked: int | None, vocabulary: MotifVocabulary) -> Iterator[EncodedPart]:
    processes = n_processes(source.path, asked)
    work = partial(annotated_parts, vocabulary=vocabulary)
    parts = in_order(work, groups(piece_stream(source, vocabulary)), processes)
    return chain.from_iterable(parts)


def annotated_parts(group: list[Piece], vocabulary: MotifVocabulary) -> list[EncodedPart]:
    """The work of one process on some pieces."""
    return [
        EncodedPart(done.chrom, done.start, piece.ids[piece.left : piece.right], done.motif_ids)
        for piece, done in zip(group, annotate_group(group, vocabulary), strict=True)
    ]
