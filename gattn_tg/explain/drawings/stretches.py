"""A drawing of what a long sequence gives to an answer: along all of it, and letter by letter where it gives most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.explain.drawings.line_chart import Line, line_chart
from gattn_tg.explain.drawings.logo import HitSpan, logo
from gattn_tg.explain.drawings.svg import ORANGE, TEAL
from gattn_tg.types import Float

WHOLE_BP = 600  # of a sequence whose letters are all drawn
WIDTH_BP, MOST, BINS = 100, 3, 200  # of the stretches whose letters are drawn; parts of the drawing along all of it


def letters_drawn(
    letters: str, contributions: Float[np.ndarray, "n"], hits: Sequence[HitSpan], label: str, unit: str,
    changes: Float[np.ndarray, "n 4"] | None = None,
) -> tuple[str, list[HitSpan]]:
    """The drawings, and the motifs that they show; the arguments are those of `logo`."""
    if len(letters) <= WHOLE_BP:
        return logo(letters, contributions, hits, label, unit, changes), list(hits)
    parts, shown = [_along(contributions, label)], []
    for start, end in strongest(contributions):
        here = [hit for hit in hits if hit.start < end and hit.end > start]
        moved = [hit._replace(start=max(hit.start, start) - start, end=min(hit.end, end) - start) for hit in here]
        parts.append(logo(letters[start:end], contributions[start:end], moved, f"{label}, bases {start + 1} to {end}",
                          unit, None if changes is None else changes[start:end], start))
        shown += here
    return "".join(parts), shown


def strongest(
    contributions: Float[np.ndarray, "n"], width: int = WIDTH_BP, most: int = MOST
) -> list[tuple[int, int]]:
    """Stretches of `width` bases with the largest sums of |contributions|, from left to right, apart of each other."""
    sums = np.convolve(np.abs(contributions), np.ones(width), mode="valid")
    found: list[tuple[int, int]] = []
    for start in np.argsort(-sums, kind="stable").tolist():
        if len(found) == most:
            break
        if all(start + width <= other or start >= end for other, end in found):
            found.append((start, start + width))
    return sorted(found)


def _along(contributions: Float[np.ndarray, "n"], label: str) -> str:
    """What speaks for the answer and what against it, summed in parts of the sequence."""
    edges = np.unique(np.linspace(0, len(contributions), BINS + 1).astype(int))
    middles = ((edges[:-1] + edges[1:]) // 2).tolist()
    sums = [np.add.reduceat(sign(contributions, 0.0), edges[:-1]).tolist() for sign in (np.maximum, np.minimum)]
    lines = [Line(name, colour, middles, values) for name, colour, values in
             zip(("for it", "against it"), (TEAL, ORANGE), sums, strict=True)]  # fmt: skip
    return line_chart(lines, f"{label}, along all of it", "base")
