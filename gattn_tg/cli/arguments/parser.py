"""Verbs of `gattn` and the parser of its command line; a verb's own module is loaded when it runs."""

from __future__ import annotations

import argparse

from gattn_tg.cli.arguments import answers, computer, genomes, learning, shared
from gattn_tg.version import __version__

DESCRIPTION = """\
Genomic attention with a learnable motif bias, on CPUs and every GPU.

  gattn demo                                     train, test and explain a splice-site model on bundled DNA
  gattn annotate genome.fa                       mark motifs, CpG islands and AT-rich stretches
  gattn motifs --jaspar CTCF,SP1                 make a vocabulary of JASPAR's matrices
  gattn init KIND > config.toml                  write a commented configuration of a kind of model
  gattn dataset peaks.bed genome.fa -o data      tables to train on from the peaks of an assay
  gattn train config.toml                        train a model on your sequences, into a folder as runs/my
  gattn finetune runs/my new.toml                train a new head on a trained trunk
  gattn predict runs/my new.fa                   classes of new sequences, or tracks and sites along them
  gattn variants runs/my genome.fa new.vcf       what variants do to what the model says
  gattn explain runs/my new.fa -o why            the bases that an answer rests on
  gattn discover runs/my pos.fa neg.fa -o found  the motifs that tell two groups apart
  gattn generate runs/my                         new sequences from a language model
  gattn export runs/my -o page.html              the model as a page for any browser; or C, WebAssembly
  gattn import dnabert -o ckpt                   a model of another project: DNABERT, NT, Enformer, Borzoi
  gattn convert ckpt --to hf -o folder           and back, as files that transformers loads
  gattn help VERB                                the options of a verb, as `gattn VERB --help`
"""
EPILOGUE = "Research use, not diagnosis. `gattn VERB --help` explains the options of a verb."
# in the order of the help
VERBS = (
    learning.demo,
    learning.init,
    learning.train,
    learning.finetune,
    learning.importing,
    learning.convert,
    learning.export,
    answers.predict,
    answers.variants,
    answers.explain,
    answers.embed,
    answers.discover,
    learning.evaluate,
    answers.generate,
    genomes.annotate,
    genomes.motifs,
    genomes.extract,
    genomes.dataset,
    genomes.preprocess,
    computer.bench,
    computer.doctor,
    computer.cache,
)


def parser() -> shared.Parser:
    """The parser of the whole command line."""
    top = shared.Parser(
        prog="gattn",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"gattn_tg {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", parser_class=shared.Verb)
    for add in VERBS:
        add(verbs)
    return top
