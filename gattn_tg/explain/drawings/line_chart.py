"""Drawings of values over steps or epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gattn_tg.explain.drawings.svg import GRID, MUTED, Scale, element, svg, text, ticks, tip

WIDTH, HEIGHT = 520.0, 250.0
LEFT, TOP, BOTTOM = 58.0, 14.0, 38.0
RIGHT, NAMED = 18.0, 104.0  # without and with names at the ends of lines
MOST = 400  # points of a line; of more, neighbours are averaged


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Args:
        name: written at its end.
        colour: of the line and the name.
        steps: where its values stand, rising.
        values: as many.
        mark: step that gets a dot, 0 for none.
        is_faint: drawn thin and pale, for raw values behind a line that matters.
    """

    name: str
    colour: str
    steps: Sequence[float]
    values: Sequence[float]
    mark: float = 0
    is_faint: bool = False


def line_chart(lines: Sequence[Line], label: str, unit: str = "step") -> str:
    """Values over steps, or whatever `unit` names, named at the right end of every line.

    The vertical axis holds all values, but of the first tenth of a line only what the rest of it reaches three times
    over: a loss that starts high does not press the rest flat.
    """
    shown = [_thinned(line) for line in lines if line.values]
    low, high = _range(shown)
    pad = (high - low) * 0.06 or abs(high) * 0.1 or 0.05
    right = WIDTH - (NAMED if any(line.name for line in shown) else RIGHT)
    x = Scale(min(line.steps[0] for line in shown), max(line.steps[-1] for line in shown), LEFT, right)
    y = Scale(low - pad, high + pad, HEIGHT - BOTTOM, TOP)
    marks = ticks(low - pad, high + pad, 5)
    parts = []
    for value in marks:
        parts += [
            element("line", x1=LEFT, x2=right, y1=y(value), y2=y(value), stroke=GRID),
            text(LEFT - 8, y(value) + 4, _short(value, marks), text_anchor="end", fill=MUTED, font_size=11),
        ]
    for step in [tick for tick in ticks(x.low, x.high, 5) if tick == int(tick)]:
        parts.append(text(x(step), HEIGHT - 19, _count(step), text_anchor="middle", fill=MUTED, font_size=11))
    parts.append(text((LEFT + right) / 2, HEIGHT - 4, unit, text_anchor="middle", fill=MUTED, font_size=11))
    named = [line for line in shown if line.name]
    ends = apart([y(line.values[-1]) for line in named], 15.0, TOP + 4, HEIGHT - BOTTOM)
    parts += [_drawn(line, x, y, unit) for line in shown]
    for line, end in zip(named, ends, strict=True):
        place = x(line.steps[-1]) + 9
        parts.append(text(place, end + 4, line.name, fill=line.colour, font_weight=600, font_size=11.5))
    return svg(WIDTH, HEIGHT, parts, label)


def smoothed(values: Sequence[float], span: int) -> list[float]:
    """A running mean that forgets with 1 / span, unbiased from the first value on."""
    out, mean, weight = [], 0.0, 0.0
    for value in values:
        mean += (value - mean) / span
        weight += (1 - weight) / span
        out.append(mean / weight)
    return out


def _drawn(line: Line, x: Scale, y: Scale, unit: str) -> str:
    inside = [min(max(v, y.low), y.high) for v in line.values]
    points = " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in zip(line.steps, inside, strict=True))
    width, opacity = (1.2, 0.35) if line.is_faint else (2.2, None)
    drawn = element(
        "polyline", points=points, fill="none", stroke=line.colour, stroke_width=width, stroke_opacity=opacity,
        stroke_linejoin="round",
    )  # fmt: skip
    if len(line.values) == 1:
        drawn += element("circle", cx=x(line.steps[0]), cy=y(line.values[0]), r=3.0, fill=line.colour)
    if line.mark and line.mark in line.steps:
        value = line.values[list(line.steps).index(line.mark)]
        drawn += element(
            "circle", tip(f"{line.name}: best at {unit} {line.mark:g}, {value:.4g}"), cx=x(line.mark), cy=y(value),
            r=4.2, fill="#fff", stroke=line.colour, stroke_width=2.2,
        )  # fmt: skip
    return drawn


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    kept: list[float] = []
    for line in lines:
        values = np.asarray(line.values, dtype=float)
        late = values[len(values) // 10 :]
        reach = 2 * (late.max() - late.min())
        early = values[: len(values) // 10]
        kept += [*late, *np.clip(early, late.min() - reach, late.max() + reach)]
    return float(min(kept)), float(max(kept))


def _thinned(line: Line) -> Line:
    n = len(line.values)
    if n <= MOST:
        return line
    edges = np.linspace(0, n, MOST + 1).astype(int)
    steps, values = (np.add.reduceat(np.asarray(v, dtype=float), edges[:-1]) / np.diff(edges)
                     for v in (line.steps, line.values))  # fmt: skip
    return Line(line.name, line.colour, steps.tolist(), values.tolist(), line.mark, line.is_faint)


def _short(value: float, marks: Sequence[float]) -> str:
    """A tick as short as tells it from the next one."""
    step = abs(marks[1] - marks[0]) if len(marks) > 1 else abs(value) or 1.0
    if max(abs(m) for m in marks) >= 10_000:
        return _count(value)
    if max(abs(m) for m in marks) < 0.01:
        return f"{value:g}"  # all digits: 0.0015 and 0.002 are not one mark
    digits = max(-math.floor(math.log10(step) + 1e-9), 0)
    return f"{value:.{digits}f}"


def _count(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= size * (10 if unit == "k" else 1):
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near to the wanted ones as a minimum distance between neighbours allows."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [min(max(wanted[i], low), high) for i in order]
    for k in range(1, len(placed)):
        placed[k] = max(placed[k], placed[k - 1] + gap)
    overflow = max(placed[-1] - high, 0.0) if placed else 0.0
    out = [0.0] * len(wanted)
    for k, i in enumerate(order):
        out[i] = placed[k] - overflow
    return out
