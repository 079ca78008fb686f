"""Small drawings for the tutorials, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.explain.drawings.svg import (
    BLUE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    ROSE,
    TEAL,
    Scale,
    element,
    svg,
    text,
    ticks,
    tip,
)


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


def scatter(places: np.ndarray, groups: Sequence[str], title: str) -> str:
    """Points of several groups in a plane."""
    width, height, names = 640.0, 420.0, sorted(set(groups))
    x = Scale(float(places[:, 0].min()), float(places[:, 0].max()), 20, width - 90)
    y = Scale(float(places[:, 1].min()), float(places[:, 1].max()), height - 20, 36)
    colour = dict(zip(names, (TEAL, ORANGE, BLUE, ROSE), strict=False))
    parts = [text(8, 16, title, font_weight=600)]
    for (a, b), group in zip(places.tolist(), groups, strict=True):
        parts.append(element("circle", tip(group), cx=x(a), cy=y(b), r=3.5, fill=colour[group], fill_opacity=0.7))
    for i, name in enumerate(names):
        parts += [element("circle", cx=width - 60, cy=50 + 20 * i, r=4, fill=colour[name]),
                  text(width - 50, 54 + 20 * i, name, fill=INK)]  # fmt: skip
    return svg(width, height, parts, title)


def two_lines(start: int, step: int, truth: np.ndarray, predicted: np.ndarray, title: str) -> str:
    """What is true as an area, and what was predicted as a line, along a stretch of a genome."""
    width, height = 860.0, 240.0
    x = Scale(start, start + step * len(truth), 44, width - 16)
    y = Scale(0, max(float(truth.max()), float(predicted.max())), height - 40, 44)
    parts = [text(8, 16, title, font_weight=600), element("rect", x=width - 250, y=8, width=12, height=10, fill=GRID),
             text(width - 232, 17, "true", fill=MUTED), text(width - 180, 17, "predicted", fill=TEAL)]  # fmt: skip
    for value in ticks(y.low, y.high, 4):
        parts += [element("line", x1=44, x2=width - 16, y1=y(value), y2=y(value), stroke=GRID),
                  text(36, y(value) + 4, f"{value:g}", text_anchor="end", fill=MUTED, font_size=11)]  # fmt: skip
    for place in ticks(x.low, x.high, 6):
        parts.append(text(x(place), height - 18, f"{place:,.0f}", text_anchor="middle", fill=MUTED, font_size=11))
    area = "".join(f"L{x(start + step * i):.1f},{y(value):.1f}" for i, value in enumerate(truth.tolist()))
    parts.append(element("path", d=f"M{x.start},{y(0):.1f}{area}L{x.end},{y(0):.1f}Z", fill="#d6d2c8"))
    points = " ".join(f"{x(start + step * (i + 0.5)):.1f},{y(value):.1f}" for i, value in enumerate(predicted.tolist()))
    parts.append(element("polyline", points=points, fill="none", stroke=TEAL, stroke_width=1.6))
    return svg(width, height, parts, title)
