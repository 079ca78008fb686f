"""What every verb has, and options that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from gattn_tg.cli import output
from gattn_tg.cli.arguments import parse
from gattn_tg.errors import ConfigError

FASTA_INPUT = "FASTA of any size, plain, gzip or bgzip; - is standard input"


class Parser(argparse.ArgumentParser):
    """argparse that raises instead of printing its usage, so that an error is one line; a full disk is one, too."""

    def _print_message(self, message: str, file: object = None) -> None:
        output.say(message.removesuffix("\n"))

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}; see `{self.prog} --help`")


class Verb(Parser):
    """The parser of a verb: files may stand before, between and behind options, also those that can be left out."""

    _is_mixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._is_mixed:  # asked by the call below: first for options, then for files
            return super().parse_known_args(args, namespace)
        self._is_mixed = True
        try:
            found, left = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixed = False
        values = vars(found)
        in_order = {action.dest: values[action.dest] for action in self._actions if action.dest in values}
        return argparse.Namespace(**(in_order | values)), left  # messages name arguments in the order of the help


Verbs: TypeAlias = "argparse._SubParsersAction[Verb]"


def verb(verbs: Verbs, name: str, summary: str) -> Verb:
    verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False)
    verb.add_argument("--json", action="store_true", help="one JSON object on standard output, nothing else")
    verb.add_argument("--seed", type=parse.whole(0, parse.MOST_SEED), default=None, help="seed of weights and order")
    verb.add_argument("--device", default=None, help="CPU, CUDA, METAL, AMD, CL ... (the best one that works)")
    verb.add_argument(
        "--threads", type=parse.whole(1, parse.MOST_CORES), default=None, help="CPU cores for kernels (all)"
    )
    return verb


def training(verb: Parser) -> None:
    verb.add_argument("-o", "--output", type=Path, default=None, help="folder of the run (runs/NAME of the TOML file)")
    verb.add_argument("--resume", action="store_true", help="go on with an interrupted run, or begin where none is")
    summary = "go on from this checkpoint of the run instead of the newest one"
    verb.add_argument("--from", dest="from_checkpoint", default=None, metavar="step_00000800", help=summary)
    overwrite(verb, "replace an earlier run")
    summary = "tell the data, warnings, time and memory of the run from a few steps of it; nothing is written"
    verb.add_argument("--dry-run", action="store_true", help=summary)
    verb.add_argument("--devices", default=None, metavar="CUDA:all", help="share batches out: CUDA:all, CUDA:0,CUDA:1")
    mpi(verb)


def mpi(verb: Parser) -> None:
    verb.add_argument("--mpi", action="store_true", help="one of several processes, where mpiexec leaves no trace")


def checkpoint(verb: Parser) -> None:
    verb.add_argument("checkpoint", type=Path, metavar="CKPT", help="folder of a run, or of its checkpoint")


def batch(verb: Parser) -> None:
    summary = "sequences per call of the model (128)"
    verb.add_argument("--batch-size", type=parse.whole(1, parse.MOST_ROWS), default=128, help=summary)


def precision(verb: Parser) -> None:
    summary = "bfloat16: weights and products in 16 bits, sums in 32, faster where the CPU or GPU has them (float32)"
    verb.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help=summary)


def both_strands(verb: Parser) -> None:
    group = verb.add_mutually_exclusive_group()
    summary = "the mean over a sequence and its reverse complement; twice the time (where training turned strands)"
    group.add_argument("--both-strands", action="store_true", default=None, help=summary)
    group.add_argument("--one-strand", dest="both_strands", action="store_false", default=None,
                       help="ask about the strand that is given alone")


def vocabulary(verb: Parser) -> None:
    names = ("--vocab", "--vocabulary")
    verb.add_argument(*names, dest="vocabulary", type=Path, default=None, help="vocabulary in TOML (the default one)")


def processes(verb: Parser) -> None:
    summary = "processes (one per core for large files)"
    verb.add_argument("--processes", type=parse.whole(1, parse.MOST_CORES), default=None, help=summary)


def rename(verb: Parser) -> None:
    summary = "names of contigs in the genome; auto: 22 is chr22"
    verb.add_argument("--rename", type=parse.renamed, default=None, metavar="A=B,...", help=summary)


def overwrite(verb: Parser, summary: str) -> None:
    verb.add_argument("--overwrite", action="store_true", help=summary)
