"""What motifs do to the answers of a model when they are put into sequences or taken out: tables, and a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import ClassVar, NamedTuple

from gattn_tg.errors import counted
from gattn_tg.explain.drawings.line_chart import Line, line_chart
from gattn_tg.explain.drawings.page import Tile, legend, page, pair, section, table
from gattn_tg.explain.drawings.svg import BLUE, ORANGE, ROSE, TEAL
from gattn_tg.explain.drawings.whiskers import Whisker, whiskers
from gattn_tg.front.why.explanations import INDEX, put
from gattn_tg.score.table import Table

EFFECTS = "effects.tsv"
MOST_SHOWN = 40  # motifs of a drawing
CURVES = (TEAL, ORANGE, BLUE, ROSE)  # of the strands
WHAT = ("effect", "beyond")
BEYOND = {False: "The effect less what the letters of the motif do in another order at the same place.",
          True: "What both do together less what each does alone at its place: 0 where they do not know of each other."}
AXES = {"distance": "bases between them", "position": "first base of the motif"}
FOOTER = "It says what the model uses, not what the cell does. Research use, not diagnosis."


class Interval(NamedTuple):
    """A mean over sequences, and its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def shown(self) -> str:
        """As a page says it."""
        return f"{self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f})" if self.mean == self.mean else "–"


NOTHING = Interval(*(float("nan"),) * 3)


class Insertion(NamedTuple):
    """One motif, or two, at one place of all backgrounds.

    Args:
        motifs: names, from left to right.
        strands: of each, "+" or "-".
        position: first base of the first motif, counted from 0; None is the middle of each background.
        distance: bases between two motifs; None for one.
        n: backgrounds.
        effect: the answer with the motifs minus the answer without.
        beyond: the effect minus what the letters of the motif do in another order at the same place; of two motifs,
            minus the sum of what each does alone at its place.
    """

    motifs: tuple[str, ...]
    strands: str
    position: int | None
    distance: int | None
    n: int
    effect: Interval
    beyond: Interval

    @property
    def name(self) -> str:
        """Motifs with their strands."""
        return "|".join(f"{motif}({strand})" for motif, strand in zip(self.motifs, self.strands, strict=True))


class Removal(NamedTuple):
    """One motif taken out of the sequences that have it.

    Args:
        motif: its name.
        n, n_sites: sequences that have it, and sites in all of them, those that overlap as one.
        effect: the answer without it minus the answer with it.
        control: the same when stretches of the same widths at random places give way.
        beyond: effect minus control.
    """

    motif: str
    n: int
    n_sites: int
    effect: Interval
    control: Interval
    beyond: Interval

    @property
    def name(self) -> str:
        """As a drawing names it."""
        return self.motif


@dataclass(frozen=True, repr=False)
class Interventions(Table):
    """Base of both tables.

    Args:
        n: sequences that were asked.
        target: class, label or value.
        unit: of all effects.
        colours: of the motifs, by name.
    """

    done: ClassVar[str]

    n: int
    target: str
    unit: str
    colours: dict[str, str]

    def write(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write index.html and effects.tsv into a folder; both or none.

        Raises:
            ConfigError: something is there already, or something else is to be replaced.
        """
        put(folder, self._fill, overwrite=overwrite, mark=EFFECTS)

    def _fill(self, folder: Path) -> None:
        (folder / INDEX).write_text(self.html(), encoding="utf-8")
        self.to_tsv(folder / EFFECTS)

    def html(self) -> str:
        """The page."""
        raise NotImplementedError

    def _whiskers(self, rows: Sequence[Insertion | Removal], label: str) -> str:
        shown = sorted(rows, key=lambda row: -abs(row.effect.mean))[:MOST_SHOWN]
        return whiskers([Whisker(row.name, self._colour(row), *row.effect) for row in shown], label, self.unit)

    def _colour(self, row: Insertion | Removal) -> str:
        return self.colours[row.motif if isinstance(row, Removal) else row.motifs[0]]


@dataclass(frozen=True, repr=False)
class Insertions(Interventions):
    """What motifs do when they are put into backgrounds.

    Args:
        found: one per motif or pair, strands, position and distance.
        is_shuffled: the backgrounds were shuffled before.
    """

    done = "put in"

    found: tuple[Insertion, ...]
    is_shuffled: bool

    def __len__(self) -> int:
        return len(self.found)

    @property
    def summary(self) -> str:
        """How much of what."""
        return f"{self.n:,} backgrounds, {len(self.found):,} ways to put motifs in, effects on {self.target} in " \
               f"{self.unit}"

    @property
    def header(self) -> list[str]:
        """What was put where; effects with their intervals."""
        return ["motifs", "position", "distance", "n", "effect", "low", "high", "beyond", "beyond_low", "beyond_high"]

    def rows(self) -> Iterator[list[object]]:
        """One per way."""
        for one in self.found:
            yield [one.name, "middle" if one.position is None else one.position,
                   "" if one.distance is None else one.distance, one.n, *one.effect, *one.beyond]

    def html(self) -> str:
        """The page: effects, and curves over distances or positions."""
        tiles = [Tile(f"{self.n:,}", "backgrounds" + (", shuffled" if self.is_shuffled else ""), is_key=True),
                 Tile(f"{len({one.motifs for one in self.found}):,}", "motifs or pairs"),
                 Tile(self.target, "answer")]  # fmt: skip
        kinds = {motifs: list(rows) for motifs, rows in groupby(self.found, key=lambda one: one.motifs)}
        strongest = [max(rows, key=lambda one: abs(one.beyond.mean)) for rows in kinds.values()]
        sections = [self._overview(strongest)] if len(kinds) > 1 else []
        sections += [self._card(motifs, rows) for motifs, rows in kinds.items()]
        return page(
            "gattn explain", "What motifs do when they are put in", f"The answer with a motif minus the "
            f"answer without it, in {self.unit} of {self.target}: the mean over backgrounds, with the 95 % interval of "
            "a bootstrap over them. Bases are replaced, and motif ids found anew.", tiles, sections, FOOTER,
        )  # fmt: skip

    def _overview(self, strongest: Sequence[Insertion]) -> str:
        about = f"Where and as each does most beyond its letters, in {self.unit}."
        return pair(section("All motifs", about, self._whiskers(strongest, "effects of all motifs")),
                    section("Beyond their letters", "The same less what their letters do in another order.",
                            self._whiskers([one._replace(effect=one.beyond) for one in strongest], "beyond letters")))

    def _card(self, motifs: tuple[str, ...], rows: list[Insertion]) -> str:
        name, is_pair = " and ".join(motifs), len(motifs) > 1
        over = "distance" if is_pair else "position"
        left, right = f"Effects in {self.unit}.", BEYOND[is_pair]
        if len({getattr(one, over) for one in rows}) < 2:
            several = [rows, [one._replace(effect=one.beyond) for one in rows]]
            drawings = [self._whiskers(some, f"{what} of {name}") for some, what in zip(several, WHAT, strict=True)]
        else:
            drawings = [_curves(rows, over, what) for what in WHAT]
        return pair(section(f"{name}, by {over}" if len(rows) > len(drawings) else name, left, drawings[0]),
                    section(f"{name}: {WHAT[1]} {'the sum' if is_pair else 'its letters'}", right, drawings[1]))


def _curves(rows: Sequence[Insertion], over: str, what: str) -> str:
    lines, kinds = [], list(dict.fromkeys(one.strands for one in rows))
    for strands, colour in zip(kinds, CURVES, strict=False):
        some = sorted((one for one in rows if one.strands == strands), key=lambda one: getattr(one, over))
        steps = [getattr(one, over) for one in some]
        lines.append(Line(strands, colour, steps, [getattr(one, what).mean for one in some]))
        for edge in ("low", "high"):
            values = [getattr(getattr(one, what), edge) for one in some]
            lines.append(Line("", colour, steps, values, is_faint=True))
    shown = [(colour, f"strands {strands}") for strands, colour in zip(kinds, CURVES, strict=False)]
    return line_chart(lines, f"{what} by {over}", AXES[over]) + legend([*shown, ("#c9ced4", "thin: 95 % interval")])


@dataclass(frozen=True, repr=False)
class Removals(Interventions):
    """What motifs do when they are taken out of the sequences that have them.

    Args:
        found: one per motif; means are nan where no sequence has it.
    """

    done = "taken out"

    found: tuple[Removal, ...]

    def __len__(self) -> int:
        return len(self.found)

    @property
    def summary(self) -> str:
        """How much of what."""
        what = f"{counted(self.n, 'sequence')}, {counted(len(self.found), 'motif')} taken out"
        return f"{what}, effects on {self.target} in {self.unit}"

    @property
    def header(self) -> list[str]:
        """What was taken out; effects with their intervals."""
        return ["motif", "n", "sites", "effect", "low", "high", "control", "control_low", "control_high", "beyond",
                "beyond_low", "beyond_high"]

    def rows(self) -> Iterator[list[object]]:
        """One per motif."""
        for one in self.found:
            yield [one.motif, one.n, one.n_sites, *("" if x != x else x for x in
                                                    (*one.effect, *one.control, *one.beyond))]  # fmt: skip

    def html(self) -> str:
        """The page: effects beside those of random places."""
        tiles = [Tile(f"{self.n:,}", "sequences", is_key=True), Tile(f"{len(self.found):,}", "motifs"),
                 Tile(self.target, "answer")]  # fmt: skip
        rows = [[one.motif, f"{one.n:,}", f"{one.n_sites:,}", one.effect.shown, one.control.shown, one.beyond.shown]
                for one in self.found]  # fmt: skip
        there = [one for one in self.found if one.n]
        drawing = self._whiskers(there, "effects of removal") if there else ""
        beyond = self._whiskers([one._replace(effect=one.beyond) for one in there], "beyond") if there else ""
        head = ["motif", "sequences with it", "sites", "effect", "random places", "beyond"]
        return page(
            "gattn explain", "What is missing without a motif", f"The answer without a motif minus the answer "
            f"with it, in {self.unit} of {self.target}: the mean over the sequences that have it, with the 95 % "
            "interval of a bootstrap over them. The bases of its sites give way to those of a shuffle of the sequence; "
            "random places of the same widths show what any such change does.", tiles,
            [pair(section("Effects", "Below 0: the motif speaks for the answer.", drawing),
                  section("Beyond random places", "The effect less that of random places.", beyond)),
             section("Numbers", f"In {self.unit}.", table(head, rows), wide=True)], FOOTER,
        )  # fmt: skip
