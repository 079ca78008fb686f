"""The logo of a motif: letters stacked at every position, as high as what they tell."""

from __future__ import annotations

import numpy as np

from gattn_tg.explain.drawings.svg import INK, element, svg, tip
from gattn_tg.motif.frequencies import information
from gattn_tg.types import Float

COLUMN, HIGH = 16.0, 56.0  # width of a position, height of two bits
LEAST = 0.5  # letters lower than this are left out


def motif_logo(frequencies: Float[np.ndarray, "w 4"], label: str) -> str:
    """A drawing of a motif; the page holds `logo.glyphs()` once.

    Args:
        frequencies: of A, C, G and T at each position.
        label: what it shows.

    Source: Schneider and Stephens 1990, Nucleic Acids Research 18:6097, for even frequencies of bases and without their
        correction for few sites.
    """
    bits = information(frequencies)
    parts = [element("line", x1=0, x2=len(bits) * COLUMN, y1=HIGH, y2=HIGH, stroke=INK, stroke_width=0.6)]
    for i, (row, told) in enumerate(zip(frequencies, bits, strict=True)):
        y = HIGH
        for base in np.argsort(row, kind="stable").tolist():
            high = float(row[base]) * float(told) / 2 * HIGH
            y -= high
            if high >= LEAST:
                letter = "ACGT"[base]
                moved = f"translate({i * COLUMN + 0.5:.2f} {y:.2f}) scale({COLUMN - 1:.2f} {high:.2f})"
                words = tip(f"{letter} at {i + 1}: {row[base]:.0%}")
                parts.append(element("use", words, href=f"#base-{letter}", transform=moved))
    return svg(len(bits) * COLUMN, HIGH + 1, parts, label)
