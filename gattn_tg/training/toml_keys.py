"""The keys of a TOML table, read from the dataclass behind it: name, type, default and what the docstring says."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

_ENTRY = re.compile(r"(\w+(?:, \w+)*): (.*)")
_WORDS = {int: "integer", float: "number", str: "string", bool: "true or false"}


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a table.

    Args:
        name: As it is written in the file.
        kind: What a value looks like, in words: "integer", "list of strings".
        default: The value that counts where the key is left out, as TOML; None where the key is required.
        comment: What the docstring says about it, on one line.
    """

    name: str
    kind: str
    default: str | None
    comment: str


def keys_of(cls: type, defaults: Mapping[str, Any] | None = None) -> list[Key]:
    """The keys of a frozen dataclass, in the order of its fields.

    Args:
        cls: A dataclass whose docstring, or that of a class it inherits from, has an `Args:` section.
        defaults: Values that take the place of the defaults of the class, for instance those of a preset.
    """
    defaults = defaults or {}
    comments = _comments(cls)
    hints = typing.get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        default: Any = defaults.get(field.name, field.default)
        if default is dataclasses.MISSING and callable(field.default_factory):
            default = field.default_factory()
        written = None if default is dataclasses.MISSING else toml_value(default)
        found.append(Key(field.name, kind_of(hints[field.name]), written, _sentence(comments.get(field.name, ""))))
    return found


def kind_of(hint: Any, *, several: bool = False) -> str:
    """A type in words.

    Args:
        hint: An annotation that `strict.convert` knows.
        several: In the plural, for what stands in a list.
    """
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(toml_value(part) for part in parts)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(kind_of(part, several=several) for part in parts if part is not type(None))
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return f"{'lists' if several else 'list'} of {kind_of(parts[0], several=True)}"
        return f"{'lists' if several else 'list'} [{', '.join(kind_of(part) for part in parts)}]"
    word = _WORDS[hint]
    return word + "s" if several and hint is not bool else word


def toml_value(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = repr(value)
        mantissa, e, exponent = text.partition("e")
        return f"{mantissa}e{int(exponent)}" if e else text
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # a JSON string is a TOML string
    if isinstance(value, Sequence):
        return f"[{', '.join(toml_value(v) for v in value)}]"
    raise TypeError(f"a TOML value: a number, a string, true, false or a list is expected, got {value!r}")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _comments(cls: type) -> dict[str, str]:
    """Field -> its entry in the `Args:` section of the class, or of the nearest class above that has one."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base) and base.__doc__:
            found.update(_entries(base.__doc__))
    return found


def _entries(docstring: str) -> dict[str, str]:
    """The entries of the `Args:` section of a docstring; continued lines are joined."""
    _, _, section = inspect.cleandoc(docstring).partition("\nArgs:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line and not line.startswith(" "):
            break  # the next section
        entry = _ENTRY.fullmatch(line.strip()) if re.match(r" {4}\S", line) else None
        if entry:
            names = entry[1].split(", ")
            found.update(dict.fromkeys(names, entry[2]))
        elif line.strip():
            for name in names:
                found[name] += " " + line.strip()
    return found
