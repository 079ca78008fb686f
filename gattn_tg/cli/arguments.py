"""Verbs and options of `gattn`; importing this file is quick, a verb's own module is loaded when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from gattn_tg import __version__
from gattn_tg.errors import ConfigError

DESCRIPTION = """\
Genomic attention with a learnable motif bias, on CPUs and every GPU.

  gattn demo                       train, test and explain a splice-site model on bundled human and primate DNA
  gattn annotate genome.fa         mark motifs, CpG islands and AT-rich stretches
  gattn train config.toml          train a classifier on your sequences
  gattn predict run/best new.fa    class probabilities of new sequences
"""
EPILOGUE = "Research use, not diagnosis. `gattn VERB --help` explains the options of a verb."


class Parser(argparse.ArgumentParser):
    """argparse that raises instead of printing its usage, so that an error is one line."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}; see `{self.prog} --help`")


def parser() -> Parser:
    """The parser of the whole command line."""
    top = Parser(
        prog="gattn",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"gattn_tg {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)

    demo = _verb(verbs, "demo", "train, test, predict and annotate on the bundled DNA; about a minute on two cores")
    demo.add_argument("-o", "--output", type=Path, default=Path("gattn-demo"), help="folder to make (gattn-demo)")
    demo.add_argument("--epochs", type=_positive, default=None, help="passes over the training set")
    _overwrite(demo, "replace the folder of an earlier demo")

    train = _verb(verbs, "train", "train a classifier described by a TOML file")
    train.add_argument("config", type=Path, metavar="CONFIG.toml")
    train.add_argument(
        "-o", "--output", type=Path, default=None, help="folder of the run (runs/NAME of the TOML file)"
    )
    train.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    _overwrite(train, "replace an earlier run")

    predict = _verb(verbs, "predict", "class probabilities of every sequence of a file, as TSV")
    _checkpoint(predict)
    predict.add_argument("input", type=Path, metavar="INPUT", help="FASTA, or CSV/TSV with a column sequence")
    predict.add_argument("-o", "--output", type=Path, default=None, help="TSV to write (standard output)")
    _batch(predict)
    _overwrite(predict, "replace the output file")

    evaluate = _verb(verbs, "evaluate", "accuracy, AUC and confusion on labelled sequences")
    _checkpoint(evaluate)
    evaluate.add_argument("input", type=Path, metavar="DATA", help="CSV/TSV with the columns sequence and label")
    _batch(evaluate)

    annotate = _verb(verbs, "annotate", "motifs, CpG islands and AT-rich stretches of a FASTA file, as BED")
    annotate.add_argument("input", type=Path, metavar="INPUT", help="FASTA, plain or gzip")
    annotate.add_argument("-o", "--output", type=Path, default=None, help="BED to write (standard output)")
    annotate.add_argument("--vocabulary", type=Path, default=None, help="motif vocabulary in TOML (the default one)")
    _overwrite(annotate, "replace the output file")

    _verb(verbs, "doctor", "devices, compilers and optional packages: what is here, what is used, what to install")
    return top


def _verb(verbs: argparse._SubParsersAction[Parser], name: str, summary: str) -> Parser:
    verb = verbs.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
    )
    verb.add_argument("--json", action="store_true", help="one JSON object on standard output, nothing else")
    verb.add_argument("--seed", type=_natural, default=None, help="seed of weights and order")
    verb.add_argument("--device", default=None, help="CPU, CUDA, METAL, AMD, CL ... (the best one that works)")
    verb.add_argument("--threads", type=_positive, default=None, help="CPU cores for kernels (all)")
    return verb


def _checkpoint(verb: Parser) -> None:
    verb.add_argument("checkpoint", type=Path, metavar="CKPT", help="folder with model.safetensors and config.json")


def _batch(verb: Parser) -> None:
    verb.add_argument("--batch-size", type=_positive, default=128, help="sequences per call of the model (128)")


def _overwrite(verb: Parser, summary: str) -> None:
    verb.add_argument("--overwrite", action="store_true", help=summary)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is required, but {text!r} came")
    return int(text)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number of at least 0 is required, but {text!r} came")
    return int(text)
