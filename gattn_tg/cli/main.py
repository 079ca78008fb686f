"""Entry point of `gattn`: picks the verb, turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import TextIO

from gattn_tg.cli import output
from gattn_tg.cli.arguments.parser import parser
from gattn_tg.cli.computer import environment
from gattn_tg.errors import ConfigError, GattnError
from gattn_tg.escaping import CLEAR, tell

OK, ERROR, INTERRUPTED = 0, 2, 130
# verbs whose module has another name or stands in a room of its own
HOMES = {"finetune": "train", "import": "importing",
         **{verb: f"genomes.{verb}" for verb in ("annotate", "motifs", "extract", "dataset", "preprocess")},
         **{verb: f"computer.{verb}" for verb in ("bench", "doctor", "cache", "export")}}
HELP = "help"  # `gattn help VERB` is `gattn VERB --help`


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        argv: Arguments without the program's name; None takes those of the process.

    Returns:
        0; 2 after an error of the user's or of the machine (disk, memory, device), told in one line on stderr; 130
        after Ctrl-C.
    """
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        with output.writing_stdout():
            sys.stdout.flush()  # a full disk is told here, not after the exit code is given
        return code
    except GattnError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        print(CLEAR * sys.stderr.isatty() + "gattn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone. Python flushes stdout once more at exit: give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except MemoryError as error:
        return _failed(_of_memory(error))
    except OSError as error:
        return _failed(_of_system(error))


def _run(argv: Sequence[str]) -> int:
    top = parser()
    if argv and argv[0] == HELP:
        argv = [*argv[1:], "--help"]
    arguments = top.parse_args(argv)
    if arguments.verb is None:
        top.print_help()
        return OK
    one_standard_input(arguments)
    output.require_apart(f"gattn {arguments.verb}", output.written(arguments), arguments)
    environment.check()
    warnings.showwarning = _warned
    # A verb's module brings tinygrad or NumPy along, so only the chosen one is loaded.
    return int(import_module(f"gattn_tg.cli.{HOMES.get(arguments.verb, arguments.verb)}").run(arguments))


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
    line: str | None = None,
) -> None:  # fmt: skip
    """A warning as one line, without the place in our code."""
    where = "" if issubclass(category, UserWarning) else f" ({filename}, line {lineno})"
    print(CLEAR * sys.stderr.isatty() + f"gattn: {' '.join(str(message).split())}{where}", file=sys.stderr)


def _failed(message: str) -> int:
    told = " ".join(message.split())
    told = told.removeprefix("gattn").lstrip(": ") if told.startswith(("gattn:", "gattn ")) else told
    tell(f"gattn: {told}", instead=CLEAR * sys.stderr.isatty())  # `gattn: train: ...`, the name once
    return ERROR


def _of_system(error: OSError) -> str:
    """What the system refused, as one sentence."""
    reason = (error.strerror or str(error)).lower()
    if error.errno == errno.ENOMEM:
        return _of_memory(error)
    if error.filename is not None:
        names = (name for name in (error.filename, error.filename2) if isinstance(name, str | bytes | os.PathLike))
        named = " -> ".join(os.fsdecode(name) for name in names)
        return (
            f"{named or error.filename}: expected a file or folder that can be used, got: {reason}; "
            "check the path, its permissions and the free space"
        )
    return f"the system refused an operation on a file: {reason}; check paths, permissions and the free space"


def _of_memory(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return (
        f"memory: expected more than this machine gives{f' ({said})' if said else ''}; take a smaller batch size, "
        "shorter sequences or a smaller model"
    )


def one_standard_input(arguments: argparse.Namespace) -> None:
    """Refuses "-" for two inputs: the second would be empty."""
    both = [name for name, path in output.inputs(arguments) if path == output.STDIN]
    if len(both) > 1:
        raise ConfigError(
            f"gattn {arguments.verb}: expected standard input for one input, got - for {' and '.join(both)}; "
            "write one of them to a file"
        )


if __name__ == "__main__":
    sys.exit(main())
