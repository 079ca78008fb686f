"""`gattn motifs --jaspar CTCF,SP1,TBP -o vocab.toml`."""

from __future__ import annotations

import argparse

from gattn_tg.cli import output
from gattn_tg.errors import ConfigError
from gattn_tg.io import jaspar_matrices, read_matrices, replacing, select
from gattn_tg.motif import Matrix, MotifVocabulary, score_threshold, vocabulary_of


def run(arguments: argparse.Namespace) -> int:
    """Writes a vocabulary of matrices; without -o it goes to standard output."""
    output.check("gattn motifs", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    if arguments.file is None and arguments.jaspar is None:
        raise ConfigError(
            "gattn motifs: names or a motif file are required, but came neither; add --jaspar CTCF,SP1 or --file FILE"
        )
    if arguments.file is None:
        matrices = jaspar_matrices(arguments.jaspar, release=arguments.release, tax_group=arguments.tax_group)
        source = arguments.release
    else:
        matrices = read_matrices(arguments.file)
        source = arguments.file.name
        if arguments.jaspar is not None:
            matrices = select(matrices, arguments.jaspar, str(arguments.file))
    base = MotifVocabulary.default() if arguments.with_default else None
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
        output.say_json({"output": str(arguments.output), "n_motifs": vocabulary.n_motifs, "matrices": rows})
        return 0
    output.say(f"{vocabulary.n_motifs - 1} classes, {len(rows)} of them matrices -> {arguments.output}")
    for row in rows:
        output.say(f"  {row['name']:<18} {row['source']:<24} {row['width']:>3} bp  from {row['threshold_bits']} bits")
    return 0
