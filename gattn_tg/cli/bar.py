"""How far a pass over a genome has come, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_CLEAR = "\r\x1b[K"


class Bar:
    """Counts bases on stderr; shows nothing where stderr is no terminal or `quiet` is set.

    Args:
        verb: what is done, for example "annotated".
        total: bases in all, where that is known.
    """

    def __init__(self, verb: str, quiet: bool = False, total: int | None = None) -> None:
        self.verb, self.total = verb, total
        self.shown = sys.stderr.isatty() and not quiet
        self.bases = 0

    def over(self, parts: Iterable[tuple[int, Item]]) -> Iterator[Item]:
        """Yield the second of each pair and count the first."""
        try:
            for n_bases, part in parts:
                self.bases += n_bases
                if self.shown:
                    share = f" ({self.bases / self.total:.0%})" if self.total else ""
                    print(f"{_CLEAR}{self.verb} {self.bases / 1e6:,.1f} Mb{share}", end="", file=sys.stderr, flush=True)
                yield part
        finally:
            if self.shown:
                print(_CLEAR, end="", file=sys.stderr, flush=True)

