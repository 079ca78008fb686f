"""Two small drawings for the tutorials, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.explain.drawings.svg import BLUE, GRID, INK, MUTED, TEAL, Scale, element, svg, text, ticks, tip


def heat_map(values: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str) -> str:
    """A table of numbers from 0 up as shades of one colour."""
    cell, left, top = 22.0, 40.0, 52.0
    most = float(values.max()) or 1.0
    parts = [text(left, 16, title, font_weight=600)]
    for i, name in enumerate(rows):
        parts.append(text(left - 8, top + cell * i + 15, name, text_anchor="end", fill=MUTED))
        for j, value in enumerate(values[i].tolist()):
            parts.append(element("rect", tip(f"{name} to {columns[j]}: {value:.3f}"), x=left + cell * j,
                                 y=top + cell * i, width=cell - 1, height=cell - 1, fill=TEAL,
                                 fill_opacity=round(0.04 + 0.96 * value / most, 3)))  # fmt: skip
    parts += [text(left + cell * j + 10, top - 8, name, text_anchor="middle", fill=MUTED)
              for j, name in enumerate(columns)]  # fmt: skip
    return svg(left + cell * len(columns) + 12, top + cell * len(rows) + 12, parts, title)


def bars(names: Sequence[str], values: Sequence[float], title: str) -> str:
    """One horizontal bar per name."""
    width, left, top, row = 640.0, 130.0, 46.0, 24.0
    x = Scale(min(0.0, *values), max(0.0, *values) or 1.0, left, width - 60)
    bottom = top + row * len(names)
    parts = [text(8, 16, title, font_weight=600)]
    for value in ticks(x.low, x.high, 5):
        parts += [element("line", x1=x(value), x2=x(value), y1=top - 6, y2=bottom, stroke=GRID),
                  text(x(value), top - 12, f"{value:g}", text_anchor="middle", fill=MUTED, font_size=11)]  # fmt: skip
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        start, end = sorted((x(0.0), x(value)))
        parts += [text(left - 8, top + row * i + 14, name, text_anchor="end", fill=INK),
                  element("rect", x=start, y=top + row * i + 3, width=max(end - start, 0.8), height=row - 8, rx=2,
                          fill=BLUE),
                  text(end + 6, top + row * i + 14, f"{value:.3g}", fill=MUTED, font_size=11)]  # fmt: skip
    return svg(width, bottom + 10, parts, title)
