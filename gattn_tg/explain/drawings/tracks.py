"""Drawings along a stretch of genome: genes, composition, motifs, and predicted splice sites.

Coordinates come 0-based and half-open, and are shown as genome browsers write them: counted from 1, the end included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gattn_tg.explain.drawings.svg import BLUE, GRID, INK, MUTED, ORANGE, TEAL, Scale, element, svg, text, ticks, tip
from gattn_tg.seq import encode
from gattn_tg.types import Float

WIDTH, LEFT, RIGHT = 1040.0, 150.0, 16.0
N_SHADES = 6


@dataclass(frozen=True)
class Span:
    """A named stretch, 0-based half-open, on a strand + - or . for none."""

    start: int
    end: int
    name: str
    strand: str = "."
    colour: str = INK


@dataclass(frozen=True)
class Site:
    """A predicted splice site: the first base after the junction, its probability, "donor" or "acceptor", strand.

    `is_real` says whether it is known to be one.
    """

    position: int
    probability: float
    kind: str
    strand: str
    is_real: bool


@dataclass
class Tracks:
    """Rows drawn under one another on a common coordinate axis.

    Args:
        chrom: name of the sequence, for the axis.
        start: first base shown, 0-based.
        end: end of the last base shown.
    """

    chrom: str
    start: int
    end: int
    _parts: list[str] = field(default_factory=list)
    _y: float = 26.0

    def __post_init__(self) -> None:
        self.x = Scale(self.start, self.end, LEFT, WIDTH - RIGHT)
        self._marks = ticks(self.start, self.end, 8)
        for mark in self._marks:
            words = f"{mark / 1000:,.0f} kb"
            self._parts.append(text(self.x(mark), 12, words, text_anchor="middle", fill=MUTED, font_size=11))

    def genes(self, genes: Sequence[Span]) -> Tracks:
        """Arrows for genes; names that would collide go to further lines."""
        free: list[float] = []
        drawn = []
        for gene in sorted(genes, key=lambda g: g.start):
            x0, x1 = self.x(max(gene.start, self.start)), self.x(min(gene.end, self.end))
            half = 3.9 * len(gene.name)
            middle = min(max((x0 + x1) / 2, half), WIDTH - half)  # the name stays inside the drawing
            name_end, name_start = max(x1, middle + half) + 6, min(x0, middle - half)
            line = next((i for i, end in enumerate(free) if name_start > end), len(free))
            free[line:line + 1] = [name_end]
            y = self._y + 14 + line * 30
            nose = min(6.0, (x1 - x0) / 2)
            right = gene.strand != "-"
            points = (
                f"{x0:.1f},{y - 4} {x1 - nose:.1f},{y - 4} {x1:.1f},{y} {x1 - nose:.1f},{y + 4} {x0:.1f},{y + 4}"
                if right
                else f"{x1:.1f},{y - 4} {x0 + nose:.1f},{y - 4} {x0:.1f},{y} {x0 + nose:.1f},{y + 4} {x1:.1f},{y + 4}"
            )
            words = f"{gene.name} ({gene.strand}) {self.chrom}:{gene.start + 1:,}-{gene.end:,}"
            drawn.append(element("polygon", tip(words), points=points, fill=TEAL if right else BLUE))
            drawn.append(
                text(middle, y + 17, gene.name, text_anchor="middle", font_size=11, font_style="italic")
            )
        return self._row("genes", "arrow: direction", drawn, 36 + 28 * max(len(free) - 1, 0))

    def area(self, name: str, note: str, values: Float[np.ndarray, "k"], top: float, colour: str) -> Tracks:
        """A filled curve from 0 to `top` over equal bins."""
        height = 42.0
        y = Scale(0, top, self._y + height, self._y + 2)
        bins = np.linspace(self.start, self.end, values.size + 1)
        middle = (bins[1:] + bins[:-1]) / 2
        points = [(self.x(float(m)), y(min(float(v), top))) for m, v in zip(middle, values, strict=True)]
        path = f"M{points[0][0]:.1f},{y(0):.1f} " + " ".join(f"L{px:.1f},{py:.1f}" for px, py in points)
        drawn = [
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(top), y2=y(top), stroke=GRID),
            element("path", d=f"{path} L{points[-1][0]:.1f},{y(0):.1f}Z", fill=colour, fill_opacity=0.75),
            text(WIDTH - RIGHT, y(top) + 10, f"{top:g}", text_anchor="end", fill=MUTED, font_size=10),
        ]
        return self._row(name, note, drawn, height)

    def boxes(self, name: str, note: str, spans: Sequence[Span]) -> Tracks:
        """Boxes at the stretches themselves."""
        drawn = []
        for s in spans:
            x0, x1 = self.x(s.start), self.x(s.end)
            words = f"{s.name} {self.chrom}:{s.start + 1:,}-{s.end:,}"
            drawn.append(
                element(
                    "rect", tip(words), x=x0, y=self._y + 4, width=max(x1 - x0, 1.6), height=12, rx=1.5, fill=s.colour
                )
            )
        return self._row(name, note, drawn, 20)

    def density(self, name: str, note: str, counts: Float[np.ndarray, "k"], colour: str) -> Tracks:
        """A strip of equal bins, darker where there are more sites; full colour at the 99th percentile."""
        top = max(float(np.percentile(counts, 99)), 1.0)
        bins = np.linspace(self.start, self.end, counts.size + 1)
        drawn = [element("rect", x=LEFT, y=self._y + 3, width=WIDTH - RIGHT - LEFT, height=12, fill="#f6f4ef", rx=2)]
        level = np.minimum(np.ceil(counts / top * N_SHADES), N_SHADES).astype(int)
        for shade in range(1, N_SHADES + 1):  # one path per shade keeps the page small
            cells = [(self.x(float(bins[i])), self.x(float(bins[i + 1]))) for i in np.flatnonzero(level == shade)]
            path = "".join(f"M{x0:.1f} {self._y + 3:g}H{x1 + 0.2:.1f}v12H{x0:.1f}z" for x0, x1 in cells)
            if path:
                drawn.append(element("path", d=path, fill=colour, fill_opacity=0.15 + 0.85 * shade / N_SHADES))
        return self._row(name, note, drawn, 18)

    def splice_sites(self, sites: Sequence[Site], floor: float) -> Tracks:
        """Lollipops as high as the probability, filled for known sites: + strand upwards, - strand downwards."""
        half = 58.0
        middle = self._y + half + 4
        drawn = [element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=middle, y2=middle, stroke="#9aa3ad")]
        for level in (0.5, 1.0):
            for sign in (-1, 1):
                y = middle + sign * level * half
                drawn.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, stroke=GRID))
                drawn.append(text(LEFT - 6, y + 4, f"{level:g}", text_anchor="end", fill=MUTED, font_size=10))
        for site in sorted(sites, key=lambda s: (s.is_real, s.probability)):  # known ones on top
            sign = -1 if site.strand == "+" else 1
            x, y = self.x(site.position), middle + sign * site.probability * half
            colour = ORANGE if site.kind == "donor" else BLUE
            real = "known" if site.is_real else "not known"
            words = f"{site.kind} {self.chrom}:{site.position + 1:,} ({site.strand}) p={site.probability:.3f}, {real}"
            dot = {"fill": colour} if site.is_real else {"fill": "#fff", "stroke": colour, "stroke_opacity": 0.6}
            drawn.append(
                element(
                    "g",
                    tip(words)
                    + element(
                        "line", x1=x, x2=x, y1=middle, y2=y, stroke=colour, stroke_width=1.1,
                        stroke_opacity=0.8 if site.is_real else 0.2,
                    )
                    + element("circle", cx=x, cy=y, r=3.4 if site.is_real else 2.2, **dot),
                )
            )
        return self._row("splice sites", f"p > {floor:g}; up: + strand", drawn, 2 * half + 8)

    def draw(self, label: str) -> str:
        """The finished drawing."""
        lines = [
            element("line", x1=self.x(m), x2=self.x(m), y1=18, y2=self._y, stroke=GRID, stroke_dasharray="2 3")
            for m in self._marks
        ]
        return svg(WIDTH, self._y + 6, [*lines, *self._parts], label)

    def _row(self, name: str, note: str, drawn: Sequence[str], height: float) -> Tracks:
        self._parts += drawn
        middle = self._y + min(height / 2, 30.0)
        self._parts += [
            text(0, middle + (4 if not note else -1), name, font_weight=600),
            text(0, middle + 12, note, fill=MUTED, font_size=10) if note else "",
        ]
        self._y += height + 12
        return self


def binned(sequence: bytes, n_bins: int, measure: Callable[[np.ndarray], np.ndarray | float]) -> Float[np.ndarray, "k"]:
    """One number per equal part of a sequence, from the ids A C G T N = 0..4 of that part."""
    ids = encode(sequence)
    return np.array([measure(part) for part in np.array_split(ids, n_bins)])
