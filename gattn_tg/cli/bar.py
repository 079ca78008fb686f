"""How far a pass over a genome, or over its variants, has come, on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar

from gattn_tg.escaping import CLEAR

Item = TypeVar("Item")


class Bar:
    """Counts bases on stderr; shows nothing where stderr is no terminal or `quiet` is set.

    Args:
        verb: what is done, for example "annotated".
        total: bases in all, where that is known.
        items: what is counted in place of bases, with its speed and the time that is left, for example "variants".
    """

    def __init__(self, verb: str, quiet: bool = False, total: int | None = None, items: str = "") -> None:
        self.verb, self.total, self.items = verb, total, items
        self.shown = sys.stderr.isatty() and not quiet
        self.n = 0
        self._began = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def over(self, parts: Iterable[tuple[int, Item]]) -> Iterator[Item]:
        """Yield the second of each pair and count the first."""
        try:
            for n, part in parts:
                self.add(n)
                yield part
        finally:
            self.clear()

    def add(self, n: int) -> None:
        """Count some more, and show it."""
        self.n += n
        if not self.shown:
            return
        share = f" ({self.n / self.total:.0%})" if self.total else ""
        told = f"{self.n / 1e6:,.1f} Mb{share}" if not self.items else f"{self.n:,} {self.items}{share}{self._speed()}"
        print(f"{CLEAR}{self.verb} {told}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Wipe the line."""
        if self.shown:
            print(CLEAR, end="", file=sys.stderr, flush=True)

    def _speed(self) -> str:
        rate = self.n / max(time.perf_counter() - self._began, 1e-9)
        left = f", {(self.total - self.n) / rate:,.0f} s left" if self.total else ""
        return f", {rate:,.0f}/s{left}"
