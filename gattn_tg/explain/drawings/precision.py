"""A drawing of precision against recall: how pure a ranking stays while it finds more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gattn_tg.explain.drawings.shares import share_grid
from gattn_tg.explain.drawings.svg import INK, MUTED, Scale, element, svg, text, tip

WIDTH, HEIGHT = 520.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 18.0, 14.0, 42.0


@dataclass(frozen=True)
class Ranking:
    """One curve.

    Args:
        colour: of the curve.
        precision: at each threshold, from the highest down.
        recall: as many.
    """

    colour: str
    precision: Sequence[float]
    recall: Sequence[float]


def precision_chart(
    rankings: Sequence[Ranking], base_rate: float, mark: tuple[float, float] | None, label: str
) -> str:
    """Precision over recall, both from 0 to 1.

    Args:
        rankings: curves.
        base_rate: precision of a ranking by chance, drawn dashed.
        mark: (recall, precision) of what is shown elsewhere, which gets a circle.
        label: what the drawing shows.
    """
    x, y = Scale(0, 1, LEFT, WIDTH - RIGHT), Scale(0, 1, HEIGHT - BOTTOM, TOP)
    parts = share_grid(x, y, font_size=11, drop=17)
    parts.append(text((x(0) + x(1)) / 2, HEIGHT - 6, "recall: known sites that are found", text_anchor="middle",
                      fill=MUTED, font_size=11))  # fmt: skip
    parts.append(element("line", tip(f"by chance: {base_rate:.1%}"), x1=x(0), x2=x(1), y1=y(base_rate),
                         y2=y(base_rate), stroke=MUTED, stroke_width=1.4, stroke_dasharray="5 4"))  # fmt: skip
    for ranking in rankings:
        if not len(ranking.recall):
            continue
        points = " ".join(f"{x(r):.1f},{y(p):.1f}" for p, r in _corners(ranking))
        parts.append(element("polyline", points=points, fill="none", stroke=ranking.colour, stroke_width=2,
                             stroke_linejoin="round"))  # fmt: skip
    if mark is not None:
        recall, precision = mark
        parts.append(element("circle", tip(f"shown: recall {recall:.0%}, precision {precision:.0%}"), cx=x(recall),
                             cy=y(precision), r=5.0, fill="#fff", stroke=INK, stroke_width=2.2))  # fmt: skip
    return svg(WIDTH, HEIGHT, parts, label)


def _corners(ranking: Ranking) -> list[tuple[float, float]]:
    """The points at which the recall rises, and the last before each: all that can be seen."""
    every = list(zip(ranking.precision, ranking.recall, strict=True))
    last = len(every) - 1
    return [
        point for i, point in enumerate(every)
        if i in (0, last) or every[i - 1][1] != point[1] or every[i + 1][1] != point[1]
    ]  # fmt: skip
