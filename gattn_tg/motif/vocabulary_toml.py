"""A motif vocabulary as TOML: read with the standard library, written by the few lines it takes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from gattn_tg.errors import FormatError
from gattn_tg.motif.motif_class import MotifClass
from gattn_tg.motif.rules import RULES

HEADER = '# Motif vocabulary of gattn_tg. Id 0 is "none"; where classes overlap, the highest priority wins.\n'
KEYS = {"id": int, "name": str, "kind": str, "priority": int, "colour": str, "strand": str, "source": str}
OPTIONAL = {"strand", "source"}
PARAMETERS = {
    "patterns": list,
    "window_bp": int,
    "min_fraction": float,
    "criteria": str,
    "counts": list,
    "pvalue": float,
    "state": str,
}


def write(classes: Iterable[MotifClass]) -> str:
    """Return the TOML text of motif classes, in the order of their ids."""
    return HEADER + "".join(_table(k, motif) for k, motif in enumerate(classes, start=1))


def _table(k: int, motif: MotifClass) -> str:
    parameters = {field.name: getattr(motif.rule, field.name) for field in fields(motif.rule)}
    values = {"id": k, "name": motif.name, "kind": motif.kind, **parameters, "strand": motif.strand,
              "priority": motif.priority, "colour": motif.colour, "source": motif.source}  # fmt: skip
    # JSON's strings, numbers and arrays are TOML's too, as long as no control character is among them.
    return "\n[[motif]]\n" + "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()
    )


def read(source: Path | str) -> list[dict[str, Any]]:
    """Return the arguments of each MotifClass, in the order of the ids.

    Args:
        source: a file (Path) or TOML text (str).

    Raises:
        FormatError: the text says what is wrong in which class.
    """
    where = str(source) if isinstance(source, Path) else "motif vocabulary"
    try:
        document = tomllib.loads(source.read_text(encoding="utf-8") if isinstance(source, Path) else source)
    except (ValueError, RecursionError) as error:  # of TOML, of Unicode, of numbers and tables without end
        raise FormatError(f"{where}: expected TOML text, got {error}; correct that place") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FormatError(
            f"{where}: expected a readable file, got: {reason}; check the path"
        ) from error
    tables = document.pop("motif", None)
    if document:
        raise FormatError(
            f"{where}: expected nothing but [[motif]] tables, got {', '.join(document)}; remove it"
        )
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise FormatError(f"{where}: expected [[motif]] tables, got none; add one for each class")
    rows = [_row(f"{where}, motif {at}", table) for at, table in enumerate(tables, start=1)]
    ids = [k for k, _ in rows]
    if sorted(ids) != list(range(1, len(ids) + 1)):
        raise FormatError(
            f"{where}: expected ids 1..{len(ids)}, each once, got {ids}; number the classes anew"
        )
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _row(where: str, table: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in RULES:
        raise FormatError(
            f"{where}: expected kind {', '.join(RULES)}, got {kind!r}; choose one of them"
        )
    wanted = {field.name: PARAMETERS[field.name] for field in fields(RULES[kind])}
    known = {**KEYS, **wanted}
    for key in table:
        if key not in known:
            raise FormatError(
                f"{where}: expected keys {', '.join(known)} for kind {kind!r}, got {key!r}; remove it"
            )
    for key, type_ in known.items():
        if key in table or key not in OPTIONAL:
            _check_type(where, key, table.get(key), type_)
    rule = RULES[kind](**{key: _frozen(table[key], type_) for key, type_ in wanted.items()})
    row = {key: table[key] for key in KEYS if key in table and key not in ("id", "kind")}
    return table["id"], {**row, "rule": rule}


def _check_type(where: str, key: str, value: Any, type_: type) -> None:
    fits = type(value) is type_ or (type_ is float and type(value) is int)
    if key == "patterns":
        fits = fits and all(isinstance(pattern, str) for pattern in value)
    if key == "counts":
        fits = fits and all(isinstance(row, list) for row in value)
    if not fits:
        names = {int: "a whole number", float: "a number", str: "text", list: "an array"}
        came = "nothing" if value is None else repr(value)
        raise FormatError(f"{where}: {key}: expected {names[type_]}, got {came}; write {key} = ...")


def _frozen(value: Any, type_: type) -> Any:
    if type_ is list:
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    return float(value) if type_ is float else value
