"""A table of TOML or JSON read into a frozen dataclass, with no unknown key and no wrong type let through."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from gattn_tg.errors import ConfigError

T = TypeVar("T")
LARGEST = 2**31 - 1  # of sizes and counts
LARGEST_SEED = 2**63 - 1
LARGEST_FLOAT = 3.4e38  # what numbers are in the kernels, float32, ends there


def read(cls: type[T], table: object, where: str, given: Mapping[str, Any] | None = None) -> T:
    """Builds `cls` from a table.

    Args:
        cls: A dataclass; its annotations are the types required (int, float, str, bool, `| None`, Literal, tuple).
        table: What tomllib or json read.
        where: File and section for messages, `run.toml: [train]`, or the name of the class.
        given: Fields that do not come from the file; a key of the same name in the table is refused.

    Raises:
        ConfigError: A key is unknown, missing, of another type, a number beyond what computations hold, or refused by
            the dataclass itself.
    """
    given = given or {}
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: expected a table of names and values, got {_show(table)}; write one")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init and f.name not in given}  # type: ignore[arg-type]
    values: dict[str, Any] = dict(given)
    for key, value in table.items():
        if key in given:
            raise ConfigError(
                f"{where} {key}: expected no value, since it follows from the data, got {_show(value)}; remove it"
            )
        if key not in fields:
            raise ConfigError(f"{where}: expected one of its known keys, got {_show(key)}; {nearest(str(key), fields)}")
        least, most = (0, LARGEST_SEED) if key.endswith("seed") else (-LARGEST, LARGEST)
        values[key] = convert(hints[key], value, f"{where} {key}")
        _require_size(values[key], least, most, f"{where} {key}")
    for name, field in fields.items():
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if name not in values and not has_default:
            raise ConfigError(f"{where}: expected {name}, got none; add {name} = ...")
    try:
        return cls(**values)
    except ConfigError as error:
        text = str(error)
        own = text.startswith(cls.__name__)  # then `where` takes its place
        raise ConfigError(where + text.removeprefix(cls.__name__) if own else f"{where}: {text}") from error


def require(holds: bool, name: str, wanted: str, value: object) -> None:
    """Raises ConfigError unless a setting holds what is wanted of it."""
    if not holds:
        raise ConfigError(f"{name}: expected {wanted}, got {_show(value)}; change {name.split()[-1]}")


def require_one_of(value: object, known: typing.Iterable[object], where: str) -> None:
    """Raises ConfigError unless a value is among those that are known; the text names the nearest."""
    names = list(known)
    if isinstance(value, bool) or value not in names:
        words = [str(name) for name in names]
        raise ConfigError(f"{where}: expected one of {', '.join(words)}, got {_show(value)}; "
                          f"{nearest(str(value), words)}")  # fmt: skip


def convert(kind: Any, value: object, where: str) -> Any:
    """The value as the annotated type; an int is taken for a float, nothing else is converted."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        inner = [p for p in parts if p is not type(None)]
        lists = [p for p in inner if typing.get_origin(p) is tuple]
        return convert(lists[0] if lists and isinstance(value, list | tuple) else inner[0], value, where)
    if origin is typing.Literal:
        require_one_of(value, parts, where)
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
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


def _require_size(value: Any, least: int, most: int, where: str) -> None:
    """Raises ConfigError where a number in a value is beyond what a computation can hold."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, tuple):
            _require_size(number, least, most, where)
        if isinstance(number, int) and not least <= number <= most:
            raise ConfigError(
                f"{where}: expected an integer from {least} to {most}, got {_show(number)}; change it"
            )
        if isinstance(number, float) and not abs(number) <= LARGEST_FLOAT:
            raise ConfigError(
                f"{where}: expected a finite number up to {LARGEST_FLOAT:g}, got {_show(number)}; change it"
            )


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


def _show(value: object) -> str:
    if isinstance(value, int) and abs(value) > 10**30:  # Python refuses to write thousands of digits
        return "an integer of more than 30 digits"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
