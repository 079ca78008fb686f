"""Motifs and positions by which a model tells two groups of sequences apart: a table, and a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.explain.drawings.line_chart import Line, line_chart
from gattn_tg.explain.drawings.page import Tile, page, pair, section, table
from gattn_tg.explain.drawings.svg import TEAL
from gattn_tg.explain.drawings.whiskers import Whisker, whiskers
from gattn_tg.explain.evidence import LEVEL, Tested
from gattn_tg.front.why.explanations import INDEX, put
from gattn_tg.io import write_tsv
from gattn_tg.motif import MotifClass
from gattn_tg.score.table import Table
from gattn_tg.score.table import written as as_written
from gattn_tg.types import Bool, Float, Int

MOTIFS, POSITIONS = "motifs.tsv", "positions.tsv"
MOST_SHOWN = 40  # motifs on the page; the file holds all
HELD_OUT = (
    "The sequences must be ones that no model has learnt from, nor was chosen by: of others everything looks found."
)
EVIDENCE = {
    "hits": "places of it that answers rest on, per sequence, positives minus negatives",
    "insertion": "what sites of positives do in shuffled negatives, at their places, beyond the order of their letters",
    "removal": "what is missing without it in positives beyond random places",
    "attention": "attention that it receives beyond its share of the bases, positives minus negatives",
}


class Position(NamedTuple):
    """A stretch, 0-based and half-open, and what it gives to answers, positives minus negatives."""

    start: int
    end: int
    value: float
    low: float
    high: float
    p: float
    q: float


@dataclass(frozen=True, repr=False)
class Discoveries(Table):
    """The motifs, those with the strongest evidence first.

    Args:
        n_positive, n_negative: sequences of both groups.
        n_models: that were asked; every number is the mean over them.
        target: class, label or value that answers are of.
        method: by which contributions of bases were found.
        unit: of effects and contributions.
        motifs: that were looked for.
        shares: of the positives, and of the negatives, that have each.
        hits, insertion, removal, attention: see `EVIDENCE`.
        agree: in how many models the effect of insertion points as it does on the mean.
        found: hits and insertion agree, both with q <= 0.05.
        positions: along the sequences; () where these have different lengths.
    """

    n_positive: int
    n_negative: int
    n_models: int
    target: str
    method: str
    unit: str
    motifs: tuple[MotifClass, ...]
    shares: Float[np.ndarray, "m 2"]
    hits: Tested
    insertion: Tested
    removal: Tested
    attention: Tested
    agree: Int[np.ndarray, "m"]
    found: Bool[np.ndarray, "m"]
    positions: tuple[Position, ...]

    @property
    def order(self) -> list[int]:
        """Numbers of the motifs: what is found first, then by p of the hits, then by size of the insertion."""
        size = -np.abs(np.nan_to_num(self.insertion.value))
        order: list[int] = np.lexsort((size, self.hits.p, ~self.found)).tolist()
        return order

    @property
    def names(self) -> tuple[str, ...]:
        """What is found."""
        return tuple(self.motifs[k].name for k in self.order if self.found[k])

    def __len__(self) -> int:
        return len(self.motifs)

    @property
    def summary(self) -> str:
        """How much of what."""
        return f"{int(self.found.sum())} of {len(self):,} motifs found in {self.n_positive:,} positives against " \
               f"{self.n_negative:,} negatives, {self.n_models} checkpoints, by {self.method}"

    @property
    def header(self) -> list[str]:
        """The motif, and all evidence with interval, p and q."""
        return ["motif", "found", "share_positive", "share_negative",
                *(f"{kind}{what}" for kind in EVIDENCE for what in ("", "_low", "_high", "_p", "_q")), "agree"]

    def rows(self) -> Iterator[list[object]]:
        """One per motif; empty where something was not asked."""
        for k in self.order:
            told = [float(column[k]) for kind in EVIDENCE for column in getattr(self, kind)]
            yield [self.motifs[k].name, "yes" if self.found[k] else "no", *self.shares[k].tolist(),
                   *("" if x != x else x for x in told), f"{self.agree[k]}/{self.n_models}"]

    def write(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write index.html, motifs.tsv and positions.tsv into a folder; all or none.

        Raises:
            ConfigError: something is there already, or something else is to be replaced.
        """
        put(folder, self._fill, overwrite=overwrite, mark=MOTIFS)

    def _fill(self, folder: Path) -> None:
        (folder / INDEX).write_text(self.html(), encoding="utf-8")
        self.to_tsv(folder / MOTIFS)
        write_tsv(folder / POSITIONS, list(Position._fields), map(as_written, self.positions))

    def html(self) -> str:
        """The page."""
        tiles = [Tile(f"{int(self.found.sum())}", "motifs found", is_key=True),
                 Tile(f"{len(self):,}", "looked for"), Tile(f"{self.n_positive:,}", "positives"),
                 Tile(f"{self.n_negative:,}", "negatives"), Tile(f"{self.n_models}", "checkpoints")]  # fmt: skip
        shown = self.order[:MOST_SHOWN]
        head = ["motif", "found", "positives with it", "negatives with it", *EVIDENCE, "checkpoints agree"]
        lines = [[self.motifs[k].name, "yes" if self.found[k] else "no", *(f"{x:.1%}" for x in self.shares[k]),
                  *(_told(getattr(self, kind), k) for kind in EVIDENCE), f"{self.agree[k]} of {self.n_models}"]
                 for k in shown]  # fmt: skip
        about = "; ".join(f"{kind}: {what}" for kind, what in EVIDENCE.items())
        more = "" if len(self) <= MOST_SHOWN else f" The first {MOST_SHOWN}; the file {MOTIFS} holds all."
        sections = [
            pair(*(section(kind.capitalize(), f"{EVIDENCE[kind][0].upper()}{EVIDENCE[kind][1:]}.",
                           self._whiskers(kind, shown)) for kind in ("hits", "insertion"))),
            section("Evidence", f"Means over sequences and checkpoints, with q. {about[0].upper()}{about[1:]}.{more}",
                    table(head, lines), wide=True),
            self._places(),
        ]  # fmt: skip
        return page(
            "gattn discover", "Which motifs tell them apart",
            f"A motif is found where sites of it that the answer {self.target} rests on are more frequent in one "
            f"group, and where it moves the answer that way when it is put in: both with q of at most {LEVEL:g} "
            f"(Benjamini-Hochberg, of permutation p). What bases give was found by {self.method}. Effects are in "
            f"{self.unit}, lines are 95 % intervals. {HELD_OUT}", tiles, sections,
            "It says what models use, not what the cell does. Research use, not diagnosis.",
        )  # fmt: skip

    def _whiskers(self, kind: str, shown: list[int]) -> str:
        tested = getattr(self, kind)
        rows = [Whisker(self.motifs[k].name, self.motifs[k].colour, *(float(x[k]) for x in tested[:3]))
                for k in shown if tested.value[k] == tested.value[k]]  # fmt: skip
        unit = self.unit if kind in ("insertion", "removal") else "sites per sequence"
        return whiskers(rows[:20], f"{kind} of motifs", unit) if rows else ""

    def _places(self) -> str:
        if not self.positions:
            return section("Positions", "The sequences have different lengths, so that positions are not compared.", "")
        steps = [(one.start + one.end) / 2 for one in self.positions]
        lines = [Line("", TEAL, steps, [getattr(one, what) for one in self.positions], is_faint=what != "value")
                 for what in ("value", "low", "high")]  # fmt: skip
        sure = sorted((one for one in self.positions if one.q <= LEVEL), key=lambda one: one.q)
        rows = [[f"{one.start}-{one.end}", f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})", f"{one.q:.3g}"]
                for one in sure[:12]]  # fmt: skip
        about = f"What each stretch gives to the answer, positives minus negatives, in {self.unit}."
        return pair(section("Positions", about, line_chart(lines, "contributions by position", "base")),
                    section("Stretches that differ", f"Those with q of at most {LEVEL:g}.",
                            table(["bases", "difference", "q"], rows) if rows else "<p>None.</p>"))  # fmt: skip


def _told(tested: Tested, k: int) -> str:
    return "–" if tested.value[k] != tested.value[k] else f"{tested.value[k]:+.3f} (q {tested.q[k]:.2g})"
