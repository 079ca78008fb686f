"""What an encoded table says about itself in `table.json`: classes or columns, vocabulary, and what was read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from gattn_tg.errors import FormatError
from gattn_tg.io.labelled import TableColumns
from gattn_tg.io.strict_json import parse
from gattn_tg.motif.vocabulary import MotifVocabulary

FORMAT = "gattn_tg encoded table 2"  # 2: digests of sequences are those of both strands
MAX_BYTES = 1 << 28


def described(columns: TableColumns) -> dict[str, Any]:
    """What was read, as the header tells it and a configuration must ask for it; names are not kept."""
    return {
        "sequence": columns.sequence,
        "label": columns.label if columns.numbers is None else None,
        "numbers": None if columns.numbers is None else list(columns.numbers.names),
        "states": columns.states,
    }


def header_text(
    n_rows: int, n_bases: int, label_names: tuple[str, ...], columns: TableColumns, vocabulary: MotifVocabulary
) -> str:
    """The text of `table.json`."""
    told = {"format": FORMAT, "rows": n_rows, "bases": n_bases, "label_names": list(label_names),
            "read": described(columns), "vocabulary": vocabulary.to_toml()}  # fmt: skip
    return json.dumps(told, indent=1) + "\n"


def read_header(path: Path, file: BinaryIO) -> dict[str, Any]:
    """The same by name, checked.

    Raises:
        FormatError: it is not what `header_text` writes.
    """
    try:
        header = parse(file.read(), str(path), MAX_BYTES)
        names, read = header["label_names"], header["read"]
        right = (
            header["format"] == FORMAT
            and all(type(header[key]) is int and header[key] > 0 for key in ("rows", "bases"))
            and isinstance(names, list) and bool(names) and all(isinstance(name, str) for name in names)
            and len({*names}) == len(names)
            and isinstance(header["vocabulary"], str)
            and isinstance(read, dict) and {*read} == {*described(TableColumns())} and read["numbers"] in (None, names)
        )  # fmt: skip
    except FormatError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"{path}: expected what was read of a table, got {error!r}; preprocess again") from error
    if not right:
        raise FormatError(f"{path}: expected format {FORMAT!r}, got another; preprocess again")
    return dict(header)
