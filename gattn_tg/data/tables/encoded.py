"""Encoded tables: labelled sequences on disk, mapped, so that a set may be many times as large as memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gattn_tg.data.facts import RowFacts, blocks
from gattn_tg.data.labelled import LabelledSequences
from gattn_tg.data.mapped import MappedRows
from gattn_tg.data.tables.files import BASES, FILES, HEADER, MOTIFS, ROWS, row_type
from gattn_tg.data.tables.header import described, read_header
from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.io.labelled import TableColumns
from gattn_tg.io.numbers import LARGEST, WANTED
from gattn_tg.io.whole import opened
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.alphabet import N


class EncodedTable:
    """A table that `write_table` wrote.

    Sequences stay on disk; what is in memory is some 40 bytes per row and 8 for each column of numbers, whatever the
    lengths of the sequences.

    Args:
        folder: where it is.
        columns: what must have been read into it.

    Attributes:
        vocabulary: what the motif ids mean.
        label_names: classes, or columns of numbers.
        longest: bases of the longest sequence.

    Raises:
        FormatError: no such folder, or files that do not fit together.
        ConfigError: other columns were read into it.
    """

    def __init__(self, folder: str | Path, columns: TableColumns) -> None:
        self.path = Path(folder)
        # All files at once, so that they are of one table even while `write_table` replaces it by another.
        try:
            with opened(self.path, FILES) as files:
                self._open(files)
        except OSError as error:
            raise FormatError(
                f"{self.path}: expected a folder that gattn preprocess made of a table, got: "
                f"{(error.strerror or str(error)).lower()}; check the path"
            ) from error
        wanted = described(columns)
        for key, read in self._read.items():
            if read != wanted.get(key):
                raise ConfigError(f"{self.path}: expected a table of which {_said(wanted.get(key))} was read as {key}, "
                                  f"got {_said(read)}; preprocess again, or name the same columns")
        if columns.numbers is not None:
            self._require_numbers(columns.numbers.kind)

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def where(self) -> str:
        """Its name, for messages."""
        return str(self.path)

    def sequences(self, width: int | None = None, label_names: tuple[str, ...] | None = None) -> LabelledSequences:
        """The rows, with what is known of each; their bases and motif ids are read when they are asked for.

        Args:
            width: bases of a row; the longest sequence when None.
            label_names: names of the classes in the order of their ids, of a model that exists; the table's own when
                None.

        Raises:
            FormatError: a sequence is longer than `width`.
            ConfigError: a class that is not in `label_names`.
        """
        width = self.longest if width is None else width
        if self.longest > width:
            row = int(np.argmax(self._lengths > width))
            raise FormatError(f"{self.path}, sequence {row + 1}: expected at most {width} bases, got "
                              f"{self._lengths[row]}; cut the sequences or raise max_length")
        names = self.label_names if label_names is None else label_names
        if unknown := [name for name in self.label_names if name not in names]:
            raise ConfigError(f"{self.path}: expected labels {', '.join(names)}, got {', '.join(unknown)}; correct the "
                              "table or train a model with these classes")
        labels = None if self._labels is None else np.array([names.index(n) for n in self.label_names],
                                                            np.int32)[self._labels]  # fmt: skip
        starts = np.cumsum(self._lengths, dtype=np.int64) - self._lengths

        def rows(name: str, ids: np.ndarray, padding: int, most: int) -> MappedRows:
            return MappedRows(self.path / name, ids, starts, self._lengths, width, padding, most)

        return LabelledSequences(
            bases=rows(BASES, self._bases, N, N),
            motif_ids=rows(MOTIFS, self._motif_ids, 0, len(self.vocabulary.classes)),
            lengths=self._lengths,
            labels=labels,
            label_names=names,
            values=self._values,
            facts=self._facts,
        )

    def _open(self, files: dict[str, BinaryIO]) -> None:
        header = read_header(self.path / HEADER, files[HEADER])
        self.vocabulary = MotifVocabulary.from_toml(header["vocabulary"])
        self.label_names: tuple[str, ...] = tuple(header["label_names"])
        self._read: dict[str, Any] = header["read"]
        n_values = 0 if self._read.get("numbers") is None else len(self.label_names)
        rows = _mapped(self.path / ROWS, files[ROWS], header["rows"], row_type(n_values))
        self._bases = _mapped(self.path / BASES, files[BASES], header["bases"], np.dtype(np.uint8))
        self._motif_ids = _mapped(self.path / MOTIFS, files[MOTIFS], header["bases"], np.dtype(np.uint8))
        self._lengths = np.array(rows["length"])
        self._facts = RowFacts(np.array(rows["sequence"]), np.array(rows["content"]), np.array(rows["unknown"]))
        self._labels = None if n_values else np.array(rows["label"])
        self._values = np.array(rows["values"]) if n_values else None
        fits = (
            self._lengths.min() > 0 and self._lengths.sum(dtype=np.int64) == header["bases"]
            and (self._facts.unknown >= 0).all() and (self._facts.unknown <= self._lengths).all()
            and (self._labels is None or 0 <= self._labels.min() <= self._labels.max() < len(self.label_names))
        )  # fmt: skip
        if not fits:
            raise FormatError(f"{self.path / ROWS}: expected lengths and labels as {HEADER} has them, got others; "
                              "preprocess again")
        self.longest = int(self._lengths.max())

    def _require_numbers(self, kind: str) -> None:
        """Refuses numbers that are not what a task wants."""
        assert self._values is not None  # columns of numbers were read
        for rows in blocks(len(self), self._values.itemsize * len(self.label_names)):
            known = self._values[rows][~np.isnan(self._values[rows])]
            fits = {"number": True, "count": known >= 0, "yes_no": (known == 0) | (known == 1)}[kind]
            odd = known[~(fits & (np.abs(known) <= LARGEST))]
            if odd.size:
                raise FormatError(f"{self.path}: expected {WANTED[kind]} in each cell of "
                                  f"{', '.join(self.label_names)}, got {odd[0]:g}; correct the table and preprocess it "
                                  "again")


def _mapped(path: Path, file: BinaryIO, n: int, kind: np.dtype[Any]) -> np.ndarray:
    found, expected = file.seek(0, os.SEEK_END), n * kind.itemsize
    if found != expected:
        raise FormatError(f"{path}: expected {expected} bytes, got {found}; preprocess again")
    return np.memmap(file, dtype=kind, mode="r").view(np.ndarray)


def _said(value: Any) -> str:
    """A column, columns, or none, in words."""
    return "no column" if value is None else ", ".join(map(repr, value)) if isinstance(value, list) else repr(value)
