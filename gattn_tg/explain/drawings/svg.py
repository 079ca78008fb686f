"""Scalable vector graphics as text: elements, scales and axes; nothing is loaded from anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

INK, MUTED, GRID, PAPER = "#1c2530", "#66717e", "#e6e3dc", "#ffffff"
TEAL, ORANGE, BLUE, ROSE = "#0f766e", "#c2570c", "#3056a8", "#b4235a"


def element(tag: str, content: str = "", **attributes: object) -> str:
    """One element; `_` in attribute names stands for `-`, numbers are rounded to a hundredth."""
    written = "".join(
        f' {k.strip("_").replace("_", "-")}="{_value(v)}"' for k, v in attributes.items() if v is not None
    )
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def text(x: float, y: float, words: str, **attributes: object) -> str:
    """A line of text at (x, y), escaped."""
    return element("text", escape(words), **{"x": x, "y": y, "fill": INK, "font_size": 12, **attributes})


def tip(words: str) -> str:
    """What appears when the pointer rests on the element around it."""
    return f"<title>{escape(words)}</title>"


def svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    """A drawing that scales with the page and says what it is to a screen reader."""
    return element(
        "svg",
        "".join(parts),
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        role="img",
        aria_label=label,
        xmlns="http://www.w3.org/2000/svg",
        font_family="ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif",
    )


@dataclass(frozen=True)
class Scale:
    """A line from data to drawing units: low -> start, high -> end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


def ticks(low: float, high: float, n: int = 5) -> list[float]:
    """About n round numbers from low to high: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / n
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return escape(str(value), quote=True)
