"""`gattn motifs --jaspar CTCF,SP1,TBP -o vocab.toml`, and `gattn motifs CKPT -o found/`."""

from __future__ import annotations

import argparse

from gattn_tg.cli import output
from gattn_tg.cli.genomes import learnt
from gattn_tg.data.genomes.jaspar import matrices_by_name
from gattn_tg.errors import ConfigError
from gattn_tg.escaping import tell
from gattn_tg.io import MotifMatrix, read_matrices, replacing, select
from gattn_tg.motif import Matrix, MotifVocabulary, long_enough, score_threshold, vocabulary_of
from gattn_tg.motif.vocabulary import MAX_MOTIFS

SHOWN = 5  # names of a list that a message repeats


def run(arguments: argparse.Namespace) -> int:
    """Writes a vocabulary of matrices, without -o to standard output; of a checkpoint the motifs that it has learnt."""
    if arguments.checkpoint is not None:
        return learnt.run(arguments)
    output.check("gattn motifs", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    matrices, source = chosen(arguments)
    base = MotifVocabulary.default() if arguments.with_default else None
    matrices, skipped = fitting(arguments, matrices, room=MAX_MOTIFS - (base.n_motifs if base else 1))
    vocabulary = vocabulary_of(matrices, arguments.pvalue, base=base, source=source)
    if arguments.output is None:
        output.say(vocabulary.to_toml().removesuffix("\n"))
        return 0
    with replacing(arguments.output, overwrite=arguments.overwrite) as file:
        file.write(vocabulary.to_toml())
    rows = [
        {"name": motif.name, "source": motif.source, "width": len(motif.rule.counts),
         "threshold_bits": round(score_threshold(motif.rule.counts, motif.rule.pvalue), 3)}
        for motif in vocabulary.classes
        if isinstance(motif.rule, Matrix)
    ]  # fmt: skip
    if arguments.json:
        output.say_json(
            {
                "output": str(arguments.output), "n_motifs": vocabulary.n_motifs, "matrices": rows,
                "skipped": [m.id for m in skipped],
            }
        )  # fmt: skip
        return 0
    output.say(f"{vocabulary.n_motifs - 1} classes, {len(rows)} of them matrices -> {arguments.output}")
    for row in rows:
        output.say(f"  {row['name']:<18} {row['source']:<24} {row['width']:>3} bp  from {row['threshold_bits']} bits")
    return 0


def chosen(arguments: argparse.Namespace) -> tuple[list[MotifMatrix], str]:
    """The matrices that are asked for, and where they come from."""
    if arguments.file is None and arguments.jaspar is None:
        raise ConfigError(
            "gattn motifs: expected names or a motif file, got neither; add --jaspar CTCF,SP1 or --file FILE"
        )
    if arguments.file is None:
        matrices = matrices_by_name(arguments.jaspar, release=arguments.release, tax_group=arguments.tax_group)
        source = arguments.release
    else:
        matrices = read_matrices(arguments.file)
        source = arguments.file.name
        if arguments.jaspar is not None:
            matrices = select(matrices, arguments.jaspar, str(arguments.file))
    for asked, motif in zip(arguments.jaspar or [], matrices, strict=False):
        if asked.casefold() not in (motif.name.casefold(), motif.id.casefold(), motif.id.casefold().split(".")[0]):
            tell(f"{asked} is taken from {motif.name} ({motif.id})")
    return matrices, source


def fitting(
    arguments: argparse.Namespace, matrices: list[MotifMatrix], room: int
) -> tuple[list[MotifMatrix], list[MotifMatrix]]:
    """The matrices of the --part that are long enough for the p-value, and the others, which --skip-short lets go.

    Args:
        room: as many matrices as a vocabulary can take.
    """
    short = [m for m in matrices if not long_enough(m.counts, arguments.pvalue)]
    kept = [m for m in matrices if m not in short] if short else matrices
    if short and not arguments.skip_short:
        raise ConfigError(
            f"gattn motifs: expected motifs whose best word is rarer than --pvalue {arguments.pvalue:g}, got "
            f"{listed(short)}; add --skip-short to leave {'it' if len(short) == 1 else 'them'} out, or raise --pvalue"
        )
    if not kept:
        raise ConfigError(
            f"gattn motifs: expected a motif long enough for --pvalue {arguments.pvalue:g}, got none in "
            f"{len(matrices):,}; raise --pvalue"
        )
    if short:
        tell(f"left out, too short for a p-value of {arguments.pvalue:g}: {listed(short)}")
    if arguments.part is not None:
        k, n = arguments.part
        kept = kept[(k - 1) * len(kept) // n : k * len(kept) // n]
        if not kept:
            raise ConfigError(f"gattn motifs: expected motifs in --part {k}/{n}, got none; use fewer parts")
    if len(kept) > room:
        n = -(-len(kept) // room) * (1 if arguments.part is None else arguments.part[1])
        raise ConfigError(
            f"gattn motifs: expected at most {room} motifs, because ids are bytes, got {len(kept):,}; choose some "
            f"with --jaspar NAMES, or write {n} vocabularies with --part 1/{n} to --part {n}/{n}"
        )
    return kept, short


def listed(matrices: list[MotifMatrix]) -> str:
    """Names, ids and widths of the first few."""
    told = ", ".join(f"{m.name} ({m.id}, {len(m.counts)} bp)" for m in matrices[:SHOWN])
    more = len(matrices) - SHOWN
    return told + (f" and {more:,} more" if more > 0 else "")
