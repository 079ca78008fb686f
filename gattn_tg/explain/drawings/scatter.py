"""A drawing of predicted against measured values."""

from __future__ import annotations

import numpy as np

from gattn_tg.explain.drawings.svg import GRID, MUTED, TEAL, Scale, element, svg, text, ticks
from gattn_tg.types import Float

SIZE, LEFT, RIGHT, TOP, BOTTOM = 380.0, 58.0, 22.0, 28.0, 44.0
MOST = 2_000  # points that are drawn; of more, as many in even steps of their order


def scatter(measured: Float[np.ndarray, "n"], predicted: Float[np.ndarray, "n"], label: str) -> str:
    """One point per sequence, and the line on which both are equal.

    Args:
        measured: values, all known.
        predicted: in the same units.
        label: what the drawing shows.
    """
    low, high = float(min(measured.min(), predicted.min())), float(max(measured.max(), predicted.max()))
    pad = (high - low) * 0.04 or abs(high) * 0.1 or 0.5
    x, y = Scale(low - pad, high + pad, LEFT, SIZE - RIGHT), Scale(low - pad, high + pad, SIZE - BOTTOM, TOP)
    parts = []
    for value in ticks(low - pad, high + pad, 5):
        parts += [
            element("line", x1=LEFT, x2=SIZE - RIGHT, y1=y(value), y2=y(value), stroke=GRID),
            text(LEFT - 8, y(value) + 4, f"{value:g}", text_anchor="end", fill=MUTED, font_size=12),
            text(x(value), SIZE - BOTTOM + 18, f"{value:g}", text_anchor="middle", fill=MUTED, font_size=12),
        ]
    parts += [
        text((LEFT + SIZE - RIGHT) / 2, SIZE - 6, "measured", text_anchor="middle", fill=MUTED, font_size=12),
        text(8, 14, "predicted", fill=MUTED, font_size=12),
        element("line", x1=x(low - pad), y1=y(low - pad), x2=x(high + pad), y2=y(high + pad), stroke=MUTED,
                stroke_width=1.4, stroke_dasharray="5 4"),
    ]  # fmt: skip
    kept = np.unique(np.linspace(0, len(measured) - 1, MOST).round().astype(int))
    opacity = 0.7 if len(kept) < 300 else 0.35
    parts += [element("circle", cx=x(float(a)), cy=y(float(b)), r=2.6, fill=TEAL, fill_opacity=opacity)
              for a, b in zip(measured[kept], predicted[kept], strict=True)]  # fmt: skip
    return svg(SIZE, SIZE, parts, label)
