"""A drawing of the attention in one sequence: what each base receives, and the share that falls on each motif."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.explain.drawings.svg import GRID, INK, MUTED, ORANGE, TEAL, element, svg, text, tip
from gattn_tg.types import Float, UInt8

WIDTH, LEFT, RIGHT = 1040.0, 150.0, 16.0
BARS, HEAD, GAP = 44.0, 11.0, 14.0  # heights: of the bars of a layer, of the strip of a head, between layers
MOST = 8.0  # times as much as with equal attention from which a colour is full


def received_drawing(
    letters: str, motif_ids: UInt8[np.ndarray, "n"], names: Sequence[str], colours: Sequence[str],
    received: Float[np.ndarray, "l h n"], mark: int, label: str,
) -> str:
    """Letters in the colours of their motifs; under them, per layer, bars (mean of the heads) and a strip per head.

    Args:
        letters: of the sequence.
        motif_ids: of each letter.
        names, colours: of the motifs, by id.
        received: share of all attention of a head that each base receives.
        mark: base before which a line is drawn.
        label: what the drawing shows.
    """
    layers, heads, n = received.shape
    step = (WIDTH - LEFT - RIGHT) / n
    times = received * n
    top = max(float(times.mean(1).max()), 1.0)
    parts = []
    for i, (letter, motif) in enumerate(zip(letters, motif_ids.tolist(), strict=True)):
        x = LEFT + i * step
        words = f"base {i + 1}, {letter}, motif {names[motif]}"
        parts += [
            element("rect", tip(words), x=x, y=2, width=step, height=22, fill=colours[motif],
                    fill_opacity=0.3 if motif else 0.0),
            text(x + step / 2, 18, letter, text_anchor="middle", font_size=13, font_family="ui-monospace, monospace",
                 font_weight=600, pointer_events="none"),
        ]  # fmt: skip
    y = 34.0
    for layer in range(layers):
        parts += _bars(times[layer].mean(0), top, step, y, letters, layer)
        y += BARS + 4
        for head in range(heads):
            parts += _strip(times[layer, head], step, y, f"layer {layer + 1}, head {head + 1}", letters)
            y += HEAD + 1
        y += GAP
    at = LEFT + mark * step
    parts.append(element("line", x1=at, x2=at, y1=0, y2=y - GAP, stroke=INK, stroke_width=1.2, stroke_dasharray="3 3"))
    return svg(WIDTH, y - GAP + 4, parts, label)


def _bars(values: Float[np.ndarray, "n"], top: float, step: float, y: float, letters: str, layer: int) -> list[str]:
    """Times as much as with equal attention; the line stands at 1."""
    foot, even = y + BARS, y + BARS * (1 - 1 / top)
    parts = [
        text(0, y + BARS / 2 + 2, f"layer {layer + 1}", font_weight=600),
        text(0, y + BARS / 2 + 15, "bars: mean of heads", fill=MUTED, font_size=10),
        text(LEFT - 6, y + 9, f"{top:.1f}x", text_anchor="end", fill=MUTED, font_size=10),
        element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=foot, y2=foot, stroke=GRID),
    ]
    for i, value in enumerate(values.tolist()):
        words = f"{letters[i]} at {i + 1}: {value:.2f} times the mean"
        parts.append(element("rect", tip(words), x=LEFT + i * step + 1, y=foot - BARS * value / top, width=step - 2,
                             height=BARS * value / top, fill=TEAL))  # fmt: skip
    parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=even, y2=even, stroke=ORANGE, stroke_dasharray="4 3"))
    return parts


def _strip(values: Float[np.ndarray, "n"], step: float, y: float, name: str, letters: str) -> list[str]:
    parts = [text(LEFT - 6, y + HEAD - 2, name.split(", ")[1], text_anchor="end", fill=MUTED, font_size=9)]
    for i, value in enumerate(values.tolist()):
        colour, strength = tone(value)
        words = f"{name}: {letters[i]} at {i + 1} receives {value:.2f} times the mean"
        parts.append(element("rect", tip(words), x=LEFT + i * step, y=y, width=step - 0.5, height=HEAD, fill=colour,
                             fill_opacity=strength))  # fmt: skip
    return parts


def share_drawing(
    names: Sequence[str], colours: Sequence[str], share: Float[np.ndarray, "l h t"],
    frequency: Float[np.ndarray, "t"], label: str,
) -> str:
    """The share of attention on each motif that occurs, per layer and head, beside the share of bases it has.

    Args:
        names, colours: of the motifs, by id.
        share: of the attention of each layer and head that falls on each motif.
        frequency: share of the bases that carry each motif.
        label: what the drawing shows.
    """
    layers, heads, _ = share.shape
    shown = np.flatnonzero(frequency > 0).tolist()
    cell, row, top = (WIDTH - LEFT - RIGHT) / (layers * heads + 1), 24.0, 50.0
    parts = [text(LEFT + cell / 2, 42, "of the bases", text_anchor="middle", fill=MUTED, font_size=11)]
    for layer in range(layers):
        middle = LEFT + cell * (1 + layer * heads + heads / 2)
        words = f"layer {layer + 1}: of the attention"
        parts.append(text(middle, 26, words, text_anchor="middle", fill=MUTED, font_size=11))
        for head in range(heads):
            x = LEFT + cell * (1.5 + layer * heads + head)
            parts.append(text(x, 42, f"head {head + 1}", text_anchor="middle", fill=MUTED, font_size=11))
    for r, motif in enumerate(shown):
        y, usual = top + r * row, float(frequency[motif])
        parts += [
            element("rect", x=0, y=y + 5, width=8, height=14, rx=2, fill=colours[motif]),
            text(16, y + 16, names[motif], font_weight=600),
            text(LEFT + cell / 2, y + 16, f"{usual:.0%}", text_anchor="middle", fill=MUTED),
        ]
        for layer in range(layers):
            for head in range(heads):
                value = float(share[layer, head, motif])
                x = LEFT + cell * (1 + layer * heads + head)
                colour, strength = tone(value / usual)
                where = f"{names[motif]}, layer {layer + 1}, head {head + 1}"
                words = f"{where}: {value:.1%} of the attention, {usual:.1%} of the bases"
                parts += [
                    element("rect", tip(words), x=x + 1, y=y + 1, width=cell - 2, height=row - 2, rx=3, fill=colour,
                            fill_opacity=strength),
                    text(x + cell / 2, y + 16, f"{value:.0%}", text_anchor="middle", pointer_events="none",
                         fill="#fff" if strength > 0.6 else INK),
                ]  # fmt: skip
    return svg(WIDTH, top + len(shown) * row + 4, parts, label)


def tone(times: float) -> tuple[str, float]:
    """Teal for more than an equal share, orange for less, deeper the further away, on a scale of powers of two."""
    away = float(np.log2(max(times, 1 / MOST)) / np.log2(MOST))
    return (TEAL if away >= 0 else ORANGE), min(abs(away), 1.0) * 0.9
