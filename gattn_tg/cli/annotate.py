"""`gattn annotate INPUT -o out.bed`."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator

from gattn_tg.cli import output
from gattn_tg.io import BedRow, read_fasta, write_bed
from gattn_tg.motif import MotifVocabulary, hits


def run(arguments: argparse.Namespace) -> int:
    """Writes every hit of every motif class as BED9; without -o plain BED6 goes to standard output."""
    output.check("gattn annotate", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    start = time.perf_counter()
    vocabulary = (
        MotifVocabulary.from_toml(arguments.vocabulary) if arguments.vocabulary else MotifVocabulary.default()
    )
    counts: Counter[str] = Counter()
    sizes: dict[str, int] = {}

    def rows() -> Iterator[BedRow]:
        for record in read_fasta(arguments.input):
            sizes[record.name] = len(record.sequence)
            for row in bed_rows(record.name, 0, record.sequence, vocabulary):
                counts[row.name] += 1
                yield row

    if arguments.output is None:
        for row in rows():
            output.say(f"{row.chrom}\t{row.start}\t{row.end}\t{row.name}\t{row.score}\t{row.strand}")
        return 0
    n = write_bed(arguments.output, rows(), overwrite=arguments.overwrite)
    seconds = time.perf_counter() - start
    if arguments.json:
        output.say_json(
            {
                "output": str(arguments.output), "n": n, "sequences": len(sizes), "bases": sum(sizes.values()),
                "motifs": dict(sorted(counts.items())), "seconds": round(seconds, 2),
            }
        )  # fmt: skip
        return 0
    output.say(f"{n:,} sites in {sum(sizes.values()):,} bases -> {arguments.output}  ({seconds:.1f} s)")
    for name in vocabulary.names[1:]:
        if counts[name]:
            output.say(f"  {name:<18} {counts[name]:>9,}")
    return 0


def bed_rows(chrom: str, offset: int, sequence: bytes, vocabulary: MotifVocabulary) -> Iterator[BedRow]:
    """The hits of one sequence as BED; scores, which have a unit of their own per class, are scaled to 0..1000."""
    colours = vocabulary.colours
    for hit in hits(sequence, vocabulary):
        score = max(0, min(1000, round(1000 * hit.score)))
        yield BedRow(chrom, offset + hit.start, offset + hit.end, hit.name, score, hit.strand, colours[hit.id])
