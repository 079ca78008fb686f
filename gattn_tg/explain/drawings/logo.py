"""A drawing of what every base of a sequence gives to an answer: letters, motifs under them, and mutations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gattn_tg.explain.drawings.svg import GRID, INK, MUTED, ORANGE, TEAL, element, svg, text, tip
from gattn_tg.types import Float

WIDTH, LEFT, RIGHT = 1040.0, 64.0, 12.0
LINE_BP, LEAST_BP = 100, 40  # bases of a line; shorter sequences are not drawn wider than these
HIGH, CELL, HIT, AXIS, GAP = 76.0, 9.0, 13.0, 16.0, 16.0  # heights of letters, cells, motifs, axis, between lines
LETTERS = {
    "A": ("#15803d", "M0 1L.38 0L.62 0L1 1L.78 1L.7 .76L.3 .76L.22 1ZM.36 .59L.64 .59L.5 .17Z"),
    "C": ("#3056a8", "M1 .3C.95 .1.75 0 .52 0C.2 0 0 .2 0 .5C0 .8.2 1 .52 1C.75 1 .95 .9 1 .7L.78 .64C.74 .77.65 "
          ".83.52 .83C.33 .83.22 .7.22 .5C.22 .3.33 .17.52 .17C.65 .17.74 .23.78 .36Z"),
    "G": ("#c2570c", "M.98 .3C.93 .1.75 0 .52 0C.2 0 0 .2 0 .5C0 .8.2 1 .52 1C.75 1 .92 .9 1 .78L1 .45L.52 .45L.52 "
          ".61L.8 .61L.8 .7C.74 .79.65 .83.52 .83C.33 .83.22 .7.22 .5C.22 .3.33 .17.52 .17C.65 .17.73 .23.77 .36Z"),
    "T": ("#b4235a", "M0 0L1 0L1 .17L.6 .17L.6 1L.4 1L.4 .17L0 .17Z"),
}  # fmt: skip
"""Colour and outline of each base in a square of side 1, y downwards."""


class HitSpan(NamedTuple):
    """A motif under the letters, 0-based and half-open."""

    start: int
    end: int
    name: str
    colour: str


def glyphs() -> str:
    """The outlines, which a page holds once; the letters of all its drawings refer to them."""
    paths = "".join(element("path", id=f"base-{letter}", d=d, fill=colour, fill_rule="evenodd")
                    for letter, (colour, d) in LETTERS.items())  # fmt: skip
    return f'<svg width="0" height="0" aria-hidden="true" style="position:absolute"><defs>{paths}</defs></svg>'


def logo(
    letters: str, contributions: Float[np.ndarray, "n"], hits: Sequence[HitSpan], label: str, unit: str,
    changes: Float[np.ndarray, "n 4"] | None = None, begins: int = 0,
) -> str:
    """Letters as high as their contributions, upside down below the line; motifs; a heat map of the changes.

    Args:
        letters: of the sequence.
        contributions: of every base.
        hits: motifs; those that overlap stand in rows of their own.
        label: what the drawing shows.
        unit: of the contributions.
        changes: what each base in place of the one that is there adds to the answer; None draws none.
        begins: the place of the first letter, counted from 0, where they are a part of a sequence.
    """
    n = len(letters)
    step = (WIDTH - LEFT - RIGHT) / max(min(n, LINE_BP), LEAST_BP)
    most = float(np.abs(contributions).max()) or 1.0
    strongest = 0.0 if changes is None else float(np.abs(changes).max()) or 1.0
    rows = _rows(hits)
    parts: list[str] = []
    y = 6.0
    for first in range(0, n, LINE_BP):
        last = min(first + LINE_BP, n)
        y = _letters(parts, letters, contributions, first, last, step, most, y, unit, begins)
        y = _hits(parts, hits, rows, first, last, step, y, begins)
        if changes is not None:
            y = _changes(parts, letters, changes, first, last, step, strongest, y, unit, begins)
        y += GAP
    return svg(WIDTH, y - GAP + 4, parts, label)


def _letters(
    parts: list[str], letters: str, contributions: Float[np.ndarray, "n"], first: int, last: int, step: float,
    most: float, y: float, unit: str, begins: int,
) -> float:
    here = contributions[first:last] / most
    up, down = HIGH * max(float(here.max()), 0.12), HIGH * max(float(-here.min()), 0.12)
    foot = y + up
    right = LEFT + (last - first) * step
    parts.append(element("line", x1=LEFT, x2=right, y1=foot, y2=foot, stroke=INK, stroke_width=0.6))
    parts.append(text(LEFT - 6, foot + 4, "0", text_anchor="end", fill=MUTED, font_size=10))
    if up > HIGH * 0.4:
        parts.append(text(LEFT - 6, y + 9, f"{most * up / HIGH:+.2g}", text_anchor="end", fill=MUTED, font_size=10))
    for i in range(first, last):
        value, x = float(contributions[i]) / most, LEFT + (i - first) * step
        words = tip(f"{letters[i]} at {begins + i + 1}: {contributions[i]:+.3g} {unit}")
        high = abs(value) * HIGH
        if letters[i] in LETTERS and high > 0.3:
            turned = f"translate({x + 0.05 * step:.2f} {foot - high if value > 0 else foot + high:.2f}) scale("
            turned += f"{0.9 * step:.2f} {high if value > 0 else -high:.2f})"
            parts.append(element("use", words, href=f"#base-{letters[i]}", transform=turned))
        else:
            parts.append(element("rect", words, x=x, y=foot - 3, width=step, height=6, fill_opacity=0))
        if (begins + i + 1) % 10 == 0 or i == first:
            at = x + step / 2
            shown = str(begins + i + 1)
            parts.append(text(at, foot + down + 11, shown, text_anchor="middle", fill=MUTED, font_size=10))
    return foot + down + AXIS


def _rows(hits: Sequence[HitSpan]) -> list[int]:
    """The row of each motif: the first one that is free."""
    free: list[int] = []
    rows = []
    for hit in hits:
        row = next((k for k, end in enumerate(free) if end <= hit.start), len(free))
        free[row : row + 1] = [hit.end]
        rows.append(row)
    return rows


def _hits(
    parts: list[str], hits: Sequence[HitSpan], rows: Sequence[int], first: int, last: int, step: float, y: float,
    begins: int,
) -> float:
    here = [(hit, row) for hit, row in zip(hits, rows, strict=True) if hit.start < last and hit.end > first]
    for hit, row in here:
        start, end = max(hit.start, first), min(hit.end, last)
        x, width = LEFT + (start - first) * step, (end - start) * step
        about = tip(f"{hit.name}, bases {begins + hit.start + 1} to {begins + hit.end}")
        parts.append(element("rect", about, x=x + 0.5, y=y + row * HIT, width=max(width - 1, 1), height=HIT - 2, rx=2,
                             fill=hit.colour, fill_opacity=0.85))  # fmt: skip
        if width > 5.6 * len(hit.name) + 6:
            parts.append(text(x + width / 2, y + row * HIT + 9, hit.name, text_anchor="middle", fill="#fff",
                              font_size=9.5, font_weight=600, pointer_events="none"))  # fmt: skip
    if not here:
        return y
    parts.append(text(LEFT - 6, y + 9, "motifs", text_anchor="end", fill=MUTED, font_size=10))
    return y + (1 + max(row for _, row in here)) * HIT + 4


def _changes(
    parts: list[str], letters: str, changes: Float[np.ndarray, "n 4"], first: int, last: int, step: float,
    strongest: float, y: float, unit: str, begins: int,
) -> float:
    for k, base in enumerate("ACGT"):
        parts.append(text(LEFT - 6, y + (k + 1) * CELL - 1, base, text_anchor="end", fill=MUTED, font_size=9))
        for i in range(first, last):
            value = float(changes[i, k])
            is_own = letters[i] == base
            colour = GRID if is_own else TEAL if value > 0 else ORANGE
            words = f"{letters[i]} at {begins + i + 1}" + ("" if is_own else f" to {base}: {value:+.3g} {unit}")
            parts.append(element("rect", tip(words), x=LEFT + (i - first) * step, y=y + k * CELL, width=step - 0.4,
                                 height=CELL - 0.4, fill=colour,
                                 fill_opacity=1.0 if is_own else abs(value) / strongest))  # fmt: skip
    return y + 4 * CELL
