"""A TOML table read into a frozen dataclass, with no unknown key and no wrong type let through."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from gattn_tg.errors import ConfigError
from gattn_tg.models.config import LARGEST

T = TypeVar("T")
LARGEST_SEED = 2**63 - 1
LARGEST_FLOAT = 3.4e38  # what numbers are in the kernels, float32, ends there


def read(cls: type[T], table: object, where: str, given: Mapping[str, Any] | None = None) -> T:
    """Builds `cls` from a TOML table.

    Args:
        cls: A dataclass; its annotations are the types required (int, float, str, bool, `| None`, Literal, tuple).
        table: What tomllib read.
        where: File and section for messages, `run.toml: [train]`.
        given: Fields that do not come from the file; a key of the same name in the table is refused.

    Raises:
        ConfigError: A key is unknown, missing, of another type, a number beyond what computations hold, or refused by
            the dataclass itself.
    """
    given = given or {}
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: expected a table, got {_show(table)}; write it as {where.split()[-1]}")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init and f.name not in given}  # type: ignore[arg-type]
    values: dict[str, Any] = dict(given)
    for key, value in table.items():
        if key in given:
            raise ConfigError(
                f"{where} {key}: expected no value, since it follows from the data, got {_show(value)}; remove it"
            )
        if key not in fields:
            raise ConfigError(f"{where}: expected one of its known keys, got {key!r}; {nearest(key, fields)}")
        least, most = (0, LARGEST_SEED) if key.endswith("seed") else (-LARGEST, LARGEST)
        values[key] = _of_size(convert(hints[key], value, f"{where} {key}"), least, most, f"{where} {key}")
    for name, field in fields.items():
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if name not in values and not has_default:
            raise ConfigError(f"{where}: expected {name}, got none; add {name} = ...")
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def convert(kind: Any, value: object, where: str) -> Any:
    """The value as the annotated type; an int is taken for a float, nothing else is converted."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        inner = [p for p in parts if p is not type(None)]
        return convert(inner[0], value, where)
    if origin is typing.Literal:
        if value not in parts or isinstance(value, bool):
            raise ConfigError(f"{where}: expected one of {_list(parts)}, got {_show(value)}; "
                              f"{nearest(str(value), [str(p) for p in parts])}")  # fmt: skip
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: expected a list, got {_show(value)}; write [..., ...]")
        kinds = [parts[0]] * len(value) if len(parts) == 2 and parts[1] is Ellipsis else list(parts)
        if len(kinds) != len(value):
            raise ConfigError(f"{where}: expected {len(kinds)} values, got {len(value)}; write all of them")
        return tuple(convert(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) <= LARGEST_FLOAT else math.inf
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{where}: expected {_name(kind)}, got {_show(value)}; {_hint(kind)}")
    return value


def _of_size(value: Any, least: int, most: int, where: str) -> Any:
    """The value, with no number in it that is beyond what a computation can hold."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int) and not least <= number <= most:
            raise ConfigError(
                f"{where}: expected an integer from {least} to {most}, got {_show(number)}; change it"
            )
        if isinstance(number, float) and not abs(number) <= LARGEST_FLOAT:
            raise ConfigError(
                f"{where}: expected a finite number up to {LARGEST_FLOAT:g}, got {_show(number)}; change it"
            )
    return value


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """`did you mean 'epochs'?`, or the list of what is known when nothing is close."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return f"known: {', '.join(names)}"


def _name(kind: Any) -> str:
    return {int: "an integer", float: "a number", str: "a string", bool: "true or false"}.get(kind, str(kind))


def _hint(kind: Any) -> str:
    return {
        int: "write it without quotes and without a decimal point",
        float: "write it without quotes",
        str: "write it in quotes",
        bool: "write true or false in small letters, without quotes",
    }.get(kind, "see the documentation")


def _list(values: typing.Iterable[object]) -> str:
    return ", ".join(repr(v) for v in values)


def _show(value: object) -> str:
    if isinstance(value, int) and abs(value) > 10**30:  # Python refuses to write thousands of digits
        return "an integer of more than 30 digits"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
