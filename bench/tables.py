"""What every table of report.py is made with: the newest line of each case, and Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.record import lines_of

Line = dict[str, Any]


def newest(bench: str, *key: str) -> list[Line]:
    """The lines of a bench, of equal keys only the last, in the order in which they were written."""
    found = {}
    for line in lines_of(bench):
        named = tuple(vectors(line) if k == "vectors" else str(line.get(k)) for k in key)
        found.pop(named, None)
        found[named] = line
    return list(found.values())


def vectors(line: Line) -> str:
    """The vector instructions of the machine; lines that do not say are of machines with AVX-512."""
    return str(line.get("vectors", "AVX-512"))


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
