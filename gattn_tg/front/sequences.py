"""Sequences as users have them: letters, files, records, arrays of ids."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import numpy as np

from gattn_tg.errors import ConfigError, FormatError, ShapeError
from gattn_tg.io import Record
from gattn_tg.models.readouts.sequences import NAME, SEQUENCE
from gattn_tg.score.sequences import read
from gattn_tg.seq import Interval, N, decode, encode
from gattn_tg.seq.alphabet import ENCODE, ILLEGAL
from gattn_tg.types import UInt8

Sequences = str | bytes | Path | Record | np.ndarray | Iterable[str | bytes | Record | np.ndarray]
LONGEST_NAME = 4096  # bytes of a path; longer text is no name of a file


def records_of(
    given: Sequences, *, most_bp: int | None = None, sequence: str = SEQUENCE, name: str = NAME, states: str = ""
) -> Iterator[Record]:
    """The sequences of what a user gives, one after the other; those without a name are sequence_1, sequence_2, ...

    A `str` that has only letters of nucleotides (A C G T U N and the IUPAC letters, any case) is a sequence, any other
    `str` is the path of a FASTA file, or of a table with a column `sequence`. Where such letters are also the name of a
    file here, nothing is guessed: give a `Path` for the file, or a list with the letters in it. In a list every `str`
    is a sequence.

    Args:
        given: letters, a path, a `Record`, an array of base ids (one axis; with two axes, a sequence per row), or
            several of these, as an array of text is.
        most_bp: bases of the longest sequence that is wanted; a file is not read further than that in one record.
        sequence, name, states: columns of a table, see `score.sequences.read`.

    Raises:
        ConfigError: a str that may be a sequence or a file, or something that is no sequence, as a dict, whose keys
            would be taken for letters, or a set, which has no order.
        FormatError: a file that is missing or damaged, a letter that is no nucleotide, a sequence without bases.
        ShapeError: an array that is no array of base ids.
    """
    if isinstance(given, Path) or (isinstance(given, str) and is_path(given)):
        yield from read(given, most_bp=most_bp, sequence=sequence, name=name, states=states)
        return
    is_text = isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype.kind in "USO"
    is_ids = isinstance(given, np.ndarray) and given.ndim < 2 and not is_text
    items: Iterable[object] = [given] if is_ids or isinstance(given, str | bytes | Record) else given
    if not isinstance(items, Iterable) or isinstance(items, Mapping | AbstractSet) or hasattr(items, "columns"):
        raise ConfigError(f"sequences: expected letters, a path, records or arrays of base ids, got "
                          f"{type(given).__name__}; see gattn_tg.front.sequences.records_of")
    n = 0
    for n, item in enumerate(items, start=1):
        yield _record(item, f"sequence_{n}")
    if not n:
        raise ConfigError("sequences: expected at least one, got none; give one")


def is_path(text: str) -> bool:
    """Whether a str names a file, by the rule of `records_of`.

    Raises:
        ConfigError: it may be a sequence as well.
    """
    if not text:
        return False
    raw = np.frombuffer(text.encode("latin-1", errors="replace"), np.uint8)
    is_letters = bool((ENCODE[raw] != ILLEGAL).all())
    is_file = raw.size <= LONGEST_NAME and "\0" not in text and os.path.exists(text)
    if is_letters and is_file:
        raise ConfigError(
            f"sequences: expected a sequence or the name of a file, got {text!r}, which is both here; give "
            f"Path({text!r}) for the file, or [{text!r}] for the sequence"
        )
    return not is_letters


def ids_of(record: Record) -> UInt8[np.ndarray, "n"]:
    """The base ids of a record."""
    return encode(record.sequence)


def places_of(given: Sequences) -> Iterator[tuple[Interval, UInt8[np.ndarray, "n"]]]:
    """Every sequence as a contig of its own, with its base ids; the arguments are those of `records_of`.

    Raises:
        ConfigError: two sequences of one name, whose places could not be told apart, or as `records_of`.
        FormatError, ShapeError: as `records_of`.
    """
    names: set[str] = set()
    for record in records_of(given):
        if record.name in names:
            raise ConfigError(f"predict: expected a name of its own for every sequence, got {record.name!r} again; "
                              "rename one")
        names.add(record.name)
        yield Interval(record.name, 0, len(record.sequence)), ids_of(record)


def padded(rows: Sequence[UInt8[np.ndarray, "n"]], width: int) -> UInt8[np.ndarray, "b n"]:
    """Rows of one width, with N behind the shorter ones."""
    out = np.full((len(rows), width), N, np.uint8)
    for held, row in zip(out, rows, strict=True):
        held[: len(row)] = row
    return out


def _record(item: object, name: str) -> Record:
    if isinstance(item, Record):
        found = item
    elif isinstance(item, str | bytes):
        found = Record(name, item)
    elif isinstance(item, np.ndarray):
        if item.ndim != 1 or item.dtype.kind not in "iu":
            raise ShapeError(f"{name}: expected base ids 0..4 (A C G T N) along one axis, got {item.dtype} of shape "
                             f"{item.shape}; encode it with gattn_tg.encode")
        found = Record(name, "", decode(item).encode("ascii"))
    else:
        raise ConfigError(f"{name}: expected letters, a Record or an array of base ids, got {type(item).__name__}; "
                          "convert it")
    if not found.sequence:
        raise FormatError(f"{found.name}: expected at least one base, got none; leave it out")
    encode(found.sequence)  # refuses what is no nucleotide
    return found
