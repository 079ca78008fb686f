"""Files that are written chunk by chunk, and gone on with after a kill: to the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gattn_tg.errors import ConfigError, GattnError
from gattn_tg.io import replacing_path
from gattn_tg.io.replacing import text_file
from gattn_tg.io.tabix import VCF_COLUMNS, TabixIndex
from gattn_tg.io.whole import PART, beside, remove, write_text

JOURNAL = PART + ".json"
TBI = ".tbi"
COPY_LINES = 1 << 12
Progress = Callable[[int], None]


def is_unfinished(path: Path | None) -> bool:
    """Whether an earlier run left something to go on with; what it wrote beside is then written once more."""
    return path is not None and beside(Path(os.path.realpath(path)), JOURNAL).exists()


class Unfinished:
    """What an earlier run left beside a file: rows in NAME.part, and in NAME.part.json how many of them are whole.

    Args:
        path: the file that will be.
        settings: what its rows depend on, JSON values.
        overwrite: forget what was left.
        resume: go on with it.

    Attributes:
        done: rows that are there.

    Raises:
        ConfigError: something was left and neither was said, or it has other settings.
    """

    def __init__(self, path: Path, settings: dict[str, object], *, overwrite: bool, resume: bool) -> None:
        path = Path(os.path.realpath(path))
        self.part, self.journal = beside(path, PART), beside(path, JOURNAL)
        self.settings = json.loads(json.dumps(settings))
        self.done = self.n_bytes = 0
        if not self.journal.exists():
            return
        if overwrite and not resume:
            self.forget()
            return
        if not resume:
            raise ConfigError(f"{path}: expected no unfinished file, got {self.part.name}; go on with it (resume), or "
                              "begin anew (overwrite)")
        try:
            told = json.loads(self.journal.read_text(encoding="utf-8"))
            differ = [key for key in self.settings if told["settings"].get(key) != self.settings[key]]
            done, n_bytes = int(told["rows"]), int(told["bytes"])
            size = self.part.stat().st_size
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{self.journal}: expected the journal of an unfinished file, got something else; "
                              "begin anew (overwrite)") from error
        if differ:
            raise ConfigError(f"{path}: expected to go on with the same settings, got another {', '.join(differ)}; use "
                              "those of before, or begin anew (overwrite)")
        if size < n_bytes:
            raise ConfigError(f"{self.part}: expected {n_bytes:,} bytes, got {size:,}; begin anew (overwrite)")
        self.done, self.n_bytes = done, n_bytes

    def keep(self, rows: int, n_bytes: int) -> None:
        """Note that so many rows of so many bytes are on disk."""
        self.done, self.n_bytes = rows, n_bytes
        write_text(self.journal, json.dumps({"rows": rows, "bytes": n_bytes, "settings": self.settings}) + "\n")

    def forget(self) -> None:
        """Remove what was left."""
        remove(self.journal)
        remove(self.part)


def digest(path: Path) -> str:
    """A short sum over the bytes of a file; the configuration of a checkpoint holds that of its weights."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def told_of(given: object) -> object:
    """What stands for an input among settings: name, size and time of a file, the text of anything else."""
    if isinstance(given, Path) or (isinstance(given, str) and os.path.exists(given)):
        stat = os.stat(given)
        return [os.path.realpath(given), stat.st_size, stat.st_mtime_ns]
    return None if given is None else str(given)


def write_rows(
    path: Path, header: str, chunks: Iterator[tuple[int, str]], unfinished: Unfinished, *, overwrite: bool, index: bool,
    progress: Progress | None = None,
) -> int:
    """Write a header and rows, and return the number of rows.

    Args:
        path: the file; packed when its name ends in .gz.
        header: its first lines.
        chunks: rows and their lines, behind those of `unfinished`.
        unfinished: what is there already.
        overwrite: replace an existing file.
        index: also write the index NAME.tbi of a packed VCF file.
        progress: is told of the rows of every chunk, those of an earlier run first.

    Raises:
        GattnError: the file exists, or cannot be written.
    """
    with replacing_path(path, overwrite=overwrite) as whole:
        try:
            with unfinished.part.open("r+b" if unfinished.done else "wb") as file:
                file.truncate(unfinished.n_bytes)
                file.seek(unfinished.n_bytes)
                if progress is not None and unfinished.done:
                    progress(unfinished.done)
                for n, text in chunks:
                    file.write(text.encode("utf-8"))
                    file.flush()
                    os.fsync(file.fileno())
                    unfinished.keep(unfinished.done + n, file.tell())
                    if progress is not None:
                        progress(n)
        except GattnError:
            unfinished.forget()  # what is wrong with the input is wrong with what was made of it
            raise
        with text_file(whole, path) as out:
            out.write(header)
            with unfinished.part.open(encoding="utf-8", newline="\n") as rows:
                while some := rows.readlines(COPY_LINES):
                    out.writelines(some)
        if index:
            _index(path, whole, header, unfinished.part, overwrite=overwrite)
    unfinished.forget()
    return unfinished.done


def _index(path: Path, whole: Path, header: str, part: Path, *, overwrite: bool) -> None:
    """Write the index of a packed VCF file."""
    index = TabixIndex(VCF_COLUMNS)
    index.skip(len(header.encode("utf-8")))
    with part.open("rb") as rows:
        while some := rows.readlines(COPY_LINES << 4):
            table = [line.split(b"\t", 4) for line in some]
            chroms = [fields[0] for fields in table]
            starts = np.array([int(fields[1]) - 1 for fields in table])
            ends = starts + [len(fields[3]) for fields in table]
            sizes = np.array([len(line) for line in some])
            first = 0
            for after in range(1, len(some) + 1):
                if after == len(some) or chroms[after] != chroms[first]:
                    here = slice(first, after)
                    index.add(chroms[first].decode("utf-8"), starts[here], ends[here], sizes[here])
                    first = after
    with replacing_path(path.with_name(path.name + TBI), overwrite=overwrite) as made:
        index.write(made, whole)
