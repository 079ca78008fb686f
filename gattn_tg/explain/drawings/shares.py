"""A drawing of shares against shares: ROC, precision against recall, and whether probabilities are what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gattn_tg.explain.drawings.svg import BLUE, GRID, MUTED, ORANGE, ROSE, TEAL, Scale, element, svg, text, tip

SIZE, LEFT, RIGHT, TOP, BOTTOM = 380.0, 50.0, 22.0, 28.0, 44.0
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
COLOURS = (TEAL, ORANGE, BLUE, ROSE, "#6d4bb0", "#5b7d1f", "#8a5a2b", "#4a5563")
MOST = 400  # points of a curve


@dataclass(frozen=True)
class Curve:
    """One curve.

    Args:
        name: for the tip.
        colour: of it.
        x, y: shares, as many of both.
        counts: of each point, which then gets a dot that says so; () draws no dots.
        steps: whether y holds from the point before, as precision does in its mean over recall.
    """

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]
    counts: Sequence[int] = ()
    steps: bool = False


def share_grid(x: Scale, y: Scale, *, font_size: int, drop: int) -> list[str]:
    """Lines and numbers of two shares from 0 to 1; those of x stand `drop` below."""
    parts = []
    for level in LEVELS:
        parts += [
            element("line", x1=x(0), x2=x(1), y1=y(level), y2=y(level), stroke=GRID),
            text(x(0) - 8, y(level) + 4, f"{level:.0%}", text_anchor="end", fill=MUTED, font_size=font_size),
            text(x(level), y(0) + drop, f"{level:.0%}", text_anchor="middle", fill=MUTED, font_size=font_size),
        ]
    return parts


def share_chart(
    curves: Sequence[Curve], x_name: str, y_name: str, label: str, *, diagonal: bool = False
) -> str:
    """Curves in a square from 0 to 1.

    Args:
        curves: those without points are left out.
        x_name, y_name: what the axes are.
        label: what the drawing shows.
        diagonal: draw the line of equal shares: chance in a ROC, truth in a calibration.
    """
    x, y = Scale(0, 1, LEFT, SIZE - RIGHT), Scale(0, 1, SIZE - BOTTOM, TOP)
    parts = [
        *share_grid(x, y, font_size=12, drop=18),
        text((x(0) + x(1)) / 2, SIZE - 6, x_name, text_anchor="middle", fill=MUTED, font_size=12),
        text(8, 14, y_name, fill=MUTED, font_size=12),
    ]
    if diagonal:
        parts.append(element("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), stroke=MUTED, stroke_width=1.4,
                             stroke_dasharray="5 4"))  # fmt: skip
    parts += [_drawn(curve, x, y) for curve in curves if len(curve.x)]
    return svg(SIZE, SIZE, parts, label)


def _drawn(curve: Curve, x: Scale, y: Scale) -> str:
    kept = np.unique(np.linspace(0, len(curve.x) - 1, MOST).round().astype(int))
    places = [(x(float(curve.x[i])), y(float(curve.y[i]))) for i in kept.tolist()]
    if curve.steps:
        starts = [x(0), *(place[0] for place in places)]
        places = [p for start, place in zip(starts, places, strict=False) for p in ((start, place[1]), place)]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    drawn = element("polyline", tip(curve.name), points=points, fill="none", stroke=curve.colour, stroke_width=2,
                    stroke_linejoin="round")  # fmt: skip
    for i, n in enumerate(curve.counts):
        said = f"{curve.name}: said {curve.x[i]:.1%}, true {curve.y[i]:.1%}, of {n:,}"
        drawn += element("circle", tip(said), cx=x(float(curve.x[i])), cy=y(float(curve.y[i])), r=4.0,
                         fill=curve.colour)  # fmt: skip
    return drawn
