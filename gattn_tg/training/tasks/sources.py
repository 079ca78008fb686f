"""Where the rows of a set come from: tables in memory, or a folder of `gattn preprocess`, as [data] names them."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from gattn_tg.data import LabelledSequences, encode_labelled
from gattn_tg.data.labelled import joined
from gattn_tg.data.tables.encoded import EncodedTable
from gattn_tg.data.tables.files import HEADER
from gattn_tg.errors import ConfigError
from gattn_tg.io import LabelledTable, TableColumns, read_labelled
from gattn_tg.io.labelled import ordered_labels
from gattn_tg.models.captured.room import require_bytes
from gattn_tg.motif import MotifVocabulary
from gattn_tg.training.config import TrainConfig

Names: TypeAlias = "str | tuple[str, ...]"
SHOWN = 3  # names of files that are listed
WILD = "*?["


@dataclass(frozen=True)
class Tables:
    """Tables in memory whose rows are those of one set, one table after the other."""

    tables: tuple[LabelledTable, ...]

    def __len__(self) -> int:
        return sum(map(len, self.tables))

    @property
    def where(self) -> str:
        """The names of their files, for messages."""
        return said(tuple(str(table.path) for table in self.tables))

    @property
    def longest(self) -> int:
        """Bases of the longest sequence."""
        return max(len(sequence) for table in self.tables for sequence in table.sequences)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Classes of all tables in one order, or their columns of numbers."""
        first = self.tables[0]
        if first.labels is None or len(self.tables) == 1:
            return first.label_names
        return ordered_labels(self.where, {name for table in self.tables for name in table.label_names})

    def sequences(
        self, vocabulary: MotifVocabulary, width: int, label_names: tuple[str, ...] | None, where: str
    ) -> LabelledSequences:
        """The rows, encoded and annotated.

        Args:
            vocabulary: motif classes.
            width: bases of a row.
            label_names: classes of a model that exists; their own when None.
            where: for the message.

        Raises:
            ConfigError: they do not fit into memory, or have a class that is not in `label_names`.
            FormatError: a sequence is longer than `width`.
        """
        require_bytes(
            2 * len(self) * max(width, self.longest), where,
            f"{len(self):,} sequences of max_length {max(width, self.longest):,}",
            "lower max_length, shorten the sequences, or encode the tables with gattn preprocess and name the folder",
        )  # fmt: skip
        names = self.label_names if label_names is None else label_names
        return joined([encode_labelled(table, vocabulary, width, names) for table in self.tables])


Source: TypeAlias = "Tables | EncodedTable"


def source_of(config: TrainConfig, key: str, names: Names, columns: TableColumns) -> Source:
    """The rows that a key of [data] names.

    Args:
        config: where the names come from.
        key: train, valid or test.
        names: a file, a pattern such as "parts/*.csv", several of these, or one folder of `gattn preprocess`.
        columns: what to read.

    Raises:
        ConfigError: there is no such file or folder, a file is named twice, or a folder beside others.
        FormatError: a file is malformed.
    """
    paths = named(config, key, names)
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        raise ConfigError(f"{config.path}: [data] {key}: expected tables, or one folder of gattn preprocess, got "
                          f"{len(paths)} names with the folder {folders[0]}; encode all tables into one folder")
    if folders:
        return EncodedTable(paths[0], columns)
    return Tables(tuple(read_labelled(path, **vars(columns), repeats=True) for path in paths))


def named(config: TrainConfig, key: str, names: Names) -> list[Path]:
    """The files that a key of [data] names: a list in its order, the files of a pattern by the letters of their paths.

    Raises:
        ConfigError: there is no such file, or one is named twice.
    """
    found: list[Path] = []
    for name in (names,) if isinstance(names, str) else names:
        path = config.resolve(name)
        if name and (path / HEADER).is_file():
            found.append(path)
        elif any(letter in name for letter in WILD) and not path.exists():
            found += _matching(config, key, name)
        else:
            found.append(config.file(key, name))
    seen: dict[str, Path] = {}
    for path in found:
        if (other := seen.setdefault(os.path.realpath(path), path)) is not path:
            raise ConfigError(f"{config.path}: [data] {key}: expected each file once, got {path} and {other}; name it "
                              "once, or copy rows that shall count twice")
    return found


def _matching(config: TrainConfig, key: str, pattern: str) -> list[Path]:
    home = config.resolve("")
    names = sorted(Path(name).as_posix() for name in glob.glob(pattern, root_dir=home, recursive=True))
    files = [home / name for name in names if (home / name).is_file()]
    if not files:
        raise ConfigError(f"{config.path}: [data] {key}: expected files that match {pattern!r}, got none in {home}; "
                          "paths are relative to the folder of the TOML file")
    return files


def said(names: Names) -> str:
    """Names of files in a few words."""
    listed = (names,) if isinstance(names, str) else names
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
