"""Drawings of what a model has learnt: the confusion table and the centred motif table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.explain.drawings.svg import GRID, INK, MUTED, Scale, element, svg, text, ticks, tip
from gattn_tg.types import Float, Int


def confusion(table: Int[np.ndarray, "c c"], names: Sequence[str], label: str) -> str:
    """Counts with the share of every row behind them as shade; rows are the truth."""
    cell_w, cell_h, left, top = 104.0, 62.0, 96.0, 44.0
    c = len(names)
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    parts = [text(left + c * cell_w / 2, 14, "predicted", text_anchor="middle", fill=MUTED)]
    for i, name in enumerate(names):
        parts += [
            text(left + (i + 0.5) * cell_w, 34, name, text_anchor="middle", font_weight=600),
            text(left - 12, top + (i + 0.5) * cell_h - 2, name, text_anchor="end", font_weight=600),
            text(
                left - 12,
                top + (i + 0.5) * cell_h + 14,
                f"of {table[i].sum()}",
                text_anchor="end",
                fill=MUTED,
                font_size=11,
            ),
        ]
        for j in range(c):
            s = float(share[i, j])
            right_one = i == j
            base = (15, 118, 110) if right_one else (194, 87, 12)
            alpha = 0.06 + 0.86 * s if right_one else min(0.05 + 3.0 * s, 0.9)
            dark = right_one and s > 0.5
            cx, cy = left + j * cell_w, top + i * cell_h
            parts += [
                element(
                    "rect", tip(f"{names[i]} called {names[j]}: {table[i, j]} ({s:.1%})"), x=cx + 2, y=cy + 2,
                    width=cell_w - 4, height=cell_h - 4, rx=6, fill=f"rgba({base[0]},{base[1]},{base[2]},{alpha:.2f})",
                ),
                text(cx + cell_w / 2, cy + cell_h / 2, f"{table[i, j]}", text_anchor="middle", font_size=17,
                     font_weight=650, fill="#fff" if dark else INK, pointer_events="none"),
                text(cx + cell_w / 2, cy + cell_h / 2 + 17, f"{s:.1%}", text_anchor="middle", font_size=11,
                     fill="#e6f3f1" if dark else MUTED, pointer_events="none"),
            ]  # fmt: skip
    return svg(left + c * cell_w + 4, top + c * cell_h + 4, parts, label)


MOTIF_TABLE = (
    "What every layer adds to the attention score of a base because of the motif it lies in, in nats; pale bars are "
    "the first layer. Centred: a constant added to a row changes nothing, so only differences mean something. Right "
    "of 0, a motif draws more attention than the average base."
)


def motif_bars(
    table: Float[np.ndarray, "l t"],
    names: Sequence[str],
    colours: Sequence[str],
    frequency: Float[np.ndarray, "t"],
    label: str,
) -> str:
    """One row per motif that occurs, one bar per layer, right of the line for more attention and left for less."""
    shown = [i for i in range(len(names)) if frequency[i] > 0]
    n_layers = table.shape[0]
    bar, left, right, top = 11.0, 150.0, 92.0, 34.0
    row = n_layers * bar + 11.0
    width, height = 1040.0, top + row * len(shown) + 8.0
    least, most = min(float(table[:, shown].min()), 0.0) * 1.08, max(float(table[:, shown].max()), 0.0) * 1.08
    least, most = (least, most) if least < most else (-1.0, 1.0)
    x = Scale(least, most, left, width - right)
    parts = []
    for value in ticks(least, most, 8):
        parts += [
            element(
                "line", x1=x(value), x2=x(value), y1=top - 6, y2=height - 6, stroke="#9aa3ad" if value == 0 else GRID
            ),
            text(x(value), top - 12, f"{value:+g}" if value else "0", text_anchor="middle", fill=MUTED, font_size=11),
        ]
    parts += [
        text(left - 14, 12, "motif of the key", text_anchor="end", fill=MUTED, font_size=11),
        text(width - right + 10, 12, "share of bases", fill=MUTED, font_size=11),
    ]
    for r, i in enumerate(shown):
        y = top + r * row
        parts += [
            element("rect", x=8, y=y + row / 2 - 10, width=8, height=14, rx=2, fill=colours[i]),
            text(24, y + row / 2 + 1, names[i], font_weight=600),
            text(width - right + 10, y + row / 2 + 1, f"{frequency[i]:.1%}", fill=MUTED),
        ]
        for layer in range(n_layers):
            value = float(table[layer, i])
            x0, x1 = sorted((x(0.0), x(value)))
            parts.append(
                element(
                    "rect", tip(f"{names[i]}, layer {layer + 1}: {value:+.2f} nats"), x=x0, y=y + layer * bar + 2,
                    width=max(x1 - x0, 0.8), height=bar - 2, rx=2, fill=colours[i],
                    fill_opacity=1.0 if n_layers == 1 else 0.55 + 0.45 * layer / (n_layers - 1),
                )
            )  # fmt: skip
    return svg(width, height, parts, label)
