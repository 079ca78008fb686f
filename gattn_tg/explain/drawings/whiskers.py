"""A drawing of means with their intervals, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gattn_tg.explain.drawings.svg import GRID, MUTED, Scale, element, svg, text, ticks, tip

WIDTH, LEFT, RIGHT, TOP, ROW, FOOT = 520.0, 170.0, 16.0, 8.0, 22.0, 36.0
LONGEST = 24  # letters of a name


class Whisker(NamedTuple):
    """A mean and its interval."""

    name: str
    colour: str
    value: float
    low: float
    high: float


def whiskers(rows: Sequence[Whisker], label: str, unit: str) -> str:
    """Every mean as a dot on the line of its interval; the dashed line is 0.

    Args:
        rows: from the top down.
        label: what the drawing shows.
        unit: of the means, written below the axis.
    """
    low, high = min(0.0, *(row.low for row in rows)), max(0.0, *(row.high for row in rows))
    pad = (high - low) * 0.04 or 0.05
    x = Scale(low - pad, high + pad, LEFT, WIDTH - RIGHT)
    foot = TOP + ROW * len(rows)
    parts = []
    for value in ticks(x.low, x.high, 5):
        parts += [
            element("line", x1=x(value), x2=x(value), y1=TOP, y2=foot, stroke=GRID),
            text(x(value), foot + 14, f"{value:g}", text_anchor="middle", fill=MUTED, font_size=11),
        ]
    parts.append(element("line", x1=x(0), x2=x(0), y1=TOP, y2=foot, stroke=MUTED, stroke_dasharray="3 3"))
    for k, row in enumerate(rows):
        y = TOP + ROW * (k + 0.5)
        name = row.name if len(row.name) <= LONGEST else row.name[: LONGEST - 1] + "…"
        words = tip(f"{row.name}: {row.value:+.3f} {unit}, 95 % interval {row.low:+.3f} to {row.high:+.3f}")
        parts += [
            text(LEFT - 10, y + 4, name, text_anchor="end"),
            element("line", words, x1=x(row.low), x2=x(row.high), y1=y, y2=y, stroke=row.colour, stroke_width=2.4,
                    stroke_linecap="round"),
            element("circle", words, cx=x(row.value), cy=y, r=4.5, fill=row.colour),
        ]  # fmt: skip
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, foot + 30, unit, text_anchor="middle", fill=MUTED, font_size=11))
    return svg(WIDTH, foot + FOOT, parts, label)
