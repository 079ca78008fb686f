"""Readers of option values: each says what it expects when it refuses a text."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

MOST_BASES = MOST_ROWS = 2**31 - 1  # positions and row numbers are 32-bit numbers in kernels and in BigWig files
MOST_CORES = 1024  # more than any machine has: a slip of the finger; fewer are cut down to those that are here
MOST_EPOCHS = 1_000_000
MOST_PLACES = 10_000
MOST_SEED = 2**63 - 1


def names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected names separated by commas, got {text!r}")
    return names


def renamed(text: str) -> str | dict[str, str]:
    if text == "auto":
        return text
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(old and new for old, _, new in pairs):
        raise argparse.ArgumentTypeError(f"expected auto or NAME=NEW,..., got {text!r}")
    return {old: new for old, _, new in pairs}


def part(text: str) -> tuple[int, int]:
    k, _, n = text.partition("/")
    if not (len(text) <= 12 and text.isascii() and k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise argparse.ArgumentTypeError(f"expected K/N with K from 1 to N, for example 1/4, got {short(text)}")
    return int(k), int(n)


def shifts(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not text.isascii() or not all(p.removeprefix("-").isdecimal() and len(p) <= 9 for p in parts):
        raise argparse.ArgumentTypeError(f"expected whole numbers of bases, as 0,-1,1, got {short(text)}")
    return [int(part) for part in parts]


def places(text: str) -> list[int]:
    """Numbers of bases: 0,20,40, or 0:100:20 from 0 up to 100 in steps of 20."""
    is_range = ":" in text
    parts = text.split(":" if is_range else ",")
    is_right = text.isascii() and all(p.isdecimal() and len(p) <= 9 for p in parts)
    found = list(map(int, parts)) if is_right else []
    if is_right and is_range:
        is_right = len(found) == 3 and found[2] > 0 and found[0] <= found[1] < found[0] + MOST_PLACES * found[2]
        found = list(range(found[0], found[1] + 1, found[2])) if is_right else []
    if not is_right:
        raise argparse.ArgumentTypeError(f"expected numbers of bases, as 0,20,40 or 0:100:20, got {short(text)}")
    return found


def stretch(text: str) -> tuple[int, int]:
    """The bases 120-140, or the base 120, counted from 0; the end is outside."""
    first, dash, last = text.partition("-")
    parts = (first, last) if dash else (first,)
    if not text.isascii() or not all(p.isdecimal() and len(p) <= 9 for p in parts):
        raise argparse.ArgumentTypeError(f"expected a base or START-END, counted from 0, got {short(text)}")
    return int(first), int(last) if dash else int(first) + 1


def widths(text: str) -> list[int]:
    parts = text.split(",")
    if not text.isascii() or not all(p.isdecimal() and len(p) <= 3 and 8 <= int(p) <= 256 for p in parts):
        raise argparse.ArgumentTypeError(f"expected widths from 8 to 256, as 32,64, got {short(text)}")
    return [int(part) for part in parts]


def whole(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number of a range."""

    def read(text: str) -> int:
        # int() takes time that grows with the square of the digits, so a text of a million of them is not tried
        is_whole = text.isdecimal() and text.isascii() and len(text) <= len(str(most))
        if not is_whole or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"expected a whole number of at least {least} and at most {most}, got {short(text)}"
            )
        return int(text)

    return read


def temperature(text: str) -> float:
    return number(text, "0 or a number from 1e-3 to 1e3", lambda x: x == 0 or 1e-3 <= x <= 1e3)


def negatives(text: str) -> str | Path:
    return text if text in ("gc", "shuffle") else Path(text)


def share(text: str) -> float:
    return number(text, "a number from 0 to 1", lambda x: 0 <= x <= 1)


def chance(text: str) -> float:
    return number(text, "a number above 0 and below 1", lambda x: 0 < x < 1)


def number(text: str, wanted: str, holds: Callable[[float], bool]) -> float:
    try:
        # float() also reads digits of other scripts and 1_000, which elsewhere are no numbers
        value = float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        value = float("nan")
    if not holds(value):
        raise argparse.ArgumentTypeError(f"expected {wanted}, got {short(text)}")
    return value


def short(text: str) -> str:
    """What came, in quotes; as much of it as a message has room for."""
    return repr(text) if len(text) <= 40 else repr(text[:37]) + "..."
