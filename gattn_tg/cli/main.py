"""Entry point of `gattn`: picks the verb, turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from gattn_tg.cli.arguments import parser
from gattn_tg.errors import GattnError

OK, ERROR, INTERRUPTED = 0, 2, 130
CLEAR = ("", "\r\033[K")  # on a terminal, wipes the progress bar that the message would be appended to


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        argv: Arguments without the program's name; None takes those of the process.

    Returns:
        0; 2 after an error of the user's, told in one line on stderr; 130 after Ctrl-C.
    """
    try:
        top = parser()
        arguments = top.parse_args(argv)
        if arguments.verb is None:
            top.print_help()
            return OK
        # A verb's module brings tinygrad or NumPy along, so only the chosen one is loaded.
        return int(import_module(f"gattn_tg.cli.{arguments.verb}").run(arguments))
    except GattnError as error:
        told = " ".join(str(error).split())
        told = told.removeprefix("gattn").lstrip(": ") if told.startswith(("gattn:", "gattn ")) else told
        print(CLEAR[sys.stderr.isatty()] + f"gattn: {told}", file=sys.stderr)  # `gattn: train: ...`, the name once
        return ERROR
    except KeyboardInterrupt:
        print(CLEAR[sys.stderr.isatty()] + "gattn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone. Python flushes stdout once more at exit: give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


if __name__ == "__main__":
    sys.exit(main())
