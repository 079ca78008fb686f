"""Where results go: standard output, a JSON object, or a file that is replaced only when told to."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from gattn_tg.errors import ConfigError, GattnError
from gattn_tg.escaping import shown
from gattn_tg.io.replacing import replacing

STDIN = Path("-")
OUTPUTS = ("output", "bigwig", "html", "skip_mismatched")  # arguments that name what is written; others are read
TBI = ".tbi"


def say(text: str = "") -> None:
    """Lines of result on standard output; names in it cannot steer the terminal, see `gattn_tg.escaping`.

    Raises:
        GattnError: It cannot be written there, because the disk is full for instance.
    """
    with writing_stdout():
        print(shown(text), flush=True)


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Tells what the system makes of writing to standard output; a reader that has gone is left to `main`.

    Raises:
        GattnError: It cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        # Python flushes once more at exit: give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise GattnError(
            f"standard output: expected room for the results, got: {(error.strerror or str(error)).lower()}; "
            "write to another place"
        ) from error


def say_json(value: dict[str, Any]) -> None:
    """The one object of --json."""
    say(json.dumps(value, allow_nan=False))


def check(verb: str, path: Path | None, *, overwrite: bool, as_json: bool) -> None:
    """Refuses an output before any work is done for it.

    Raises:
        ConfigError: The file exists and --overwrite was not said, its folder does not exist, or --json has no file for
            the table.
    """
    if path is None:
        if as_json:
            raise ConfigError(
                f"{verb}: expected a file for the table with --json, which prints a summary, got none; "
                "add -o FILE"
            )
        return
    require_writable(verb, path)
    if path.is_dir():
        raise ConfigError(f"{verb}: {path}: expected a file name, but a folder came; name a file in it")
    if path.exists() and not overwrite:
        raise ConfigError(
            f"{verb}: {path}: expected a new file, got one that exists; add --overwrite or choose another name"
        )
    if not path.absolute().parent.is_dir():
        raise ConfigError(
            f"{verb}: {path}: expected an existing folder, but {path.parent} is missing; make it first"
        )


def inputs(arguments: argparse.Namespace) -> list[tuple[str, Path]]:
    """What a verb reads, each with the name of its argument: every path that is no output, also of several in one."""
    given = [(k, v if isinstance(v, list | tuple) else [v]) for k, v in vars(arguments).items() if k not in OUTPUTS]
    return [(name, path) for name, paths in given for path in paths if isinstance(path, Path)]


def written(arguments: argparse.Namespace) -> list[Path]:
    """What a verb writes, as far as its arguments say."""
    found = [path for name in OUTPUTS if (path := getattr(arguments, name, None)) is not None]
    has_index = getattr(arguments, "tbi", False) or (arguments.verb == "variants" and is_packed_vcf(arguments.output))
    if has_index and arguments.output is not None:
        found.append(arguments.output.with_name(arguments.output.name + TBI))
    return found


def is_packed_vcf(path: Path | None) -> bool:
    """Whether an index is written beside this output."""
    return path is not None and path.name.endswith(".vcf.gz")


def require_apart(verb: str, outputs: Iterable[Path], arguments: argparse.Namespace) -> None:
    """Refuses to write over what is read, also with --overwrite, and to write two things under one name.

    Args:
        verb: For messages.
        outputs: Files and folders that will be written.
        arguments: Those of the verb; `inputs` tells what it reads.

    Raises:
        ConfigError: An output is an input or another output, or a folder to be replaced has an input in it.
    """
    replaces = getattr(arguments, "overwrite", False)
    read = {Path(os.path.realpath(p)): p for _, p in inputs(arguments) if p != STDIN}
    seen: dict[Path, Path] = {}
    for path in outputs:
        place = Path(os.path.realpath(path))
        held = [p for there, p in read.items() if there == place or (replaces and place in there.parents)]
        if held:
            what = "the input" if Path(os.path.realpath(held[0])) == place else f"the folder of the input {held[0]}"
            raise ConfigError(f"{verb}: {path}: expected an output of its own, got {what}; choose another name")
        if place in seen:
            raise ConfigError(f"{verb}: {path}: expected another name for every output, got it twice; choose another")
        seen[place] = path


def require_writable(verb: str, path: Path) -> None:
    """Refuses a place where nothing can be written, before any work is done for it.

    Raises:
        ConfigError: Its folder is read-only or cannot be looked into, or the name is that of a device or a pipe.
    """
    try:
        is_odd = path.exists() and not (path.is_file() or path.is_dir())
    except OSError as error:
        raise ConfigError(
            f"{verb}: {path}: expected a name in a folder that can be read, got: "
            f"{(error.strerror or str(error)).lower()}; choose another"
        ) from error
    if is_odd:
        raise ConfigError(f"{verb}: {path}: expected a regular file, got a device or pipe; name a file")
    folder = path.absolute().parent
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{verb}: {path}: expected a folder that can be written, but {folder} is read-only")


@contextmanager
def table(path: Path | None) -> Iterator[TextIO]:
    """A text file that appears under its name only when all went well; None is standard output."""
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    with replacing(path, overwrite=True) as file:  # `check` has refused what must stay
        yield file
