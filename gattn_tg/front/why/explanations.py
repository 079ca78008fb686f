"""Why a trained model answers as it does: what every base of sequences gives to an answer, and the folder it fills."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gattn_tg.errors import ConfigError, counted
from gattn_tg.explain.attribution.seqlets import Seqlet, seqlets
from gattn_tg.explain.attribution.sequences import Attribution
from gattn_tg.explain.drawings.attention import share_drawing
from gattn_tg.explain.drawings.logo import HitSpan, glyphs
from gattn_tg.explain.drawings.page import Tile, legend, page, section, table
from gattn_tg.explain.drawings.stretches import WHOLE_BP, letters_drawn
from gattn_tg.front.attention import MotifAttention
from gattn_tg.io import write_bigwig, write_tsv
from gattn_tg.io.whole import write_folder
from gattn_tg.motif import Hit, MotifVocabulary, hits
from gattn_tg.score.table import Table
from gattn_tg.seq import Interval, N, decode
from gattn_tg.types import Float, UInt8

SHOWN = 20  # sequences on the page; the files hold all
INDEX, ONE_HOT, SHAP, BASES, SEQLETS, BIGWIG = (
    "index.html", "ohe.npz", "shap.npz", "bases.tsv", "seqlets.tsv", "contributions.bw")  # fmt: skip
ABOUT = {
    "mutagenesis": "Every base is changed to each of the other three, and the model is asked again.",
    "gradient": "The gradient of the answer at each base, times the base.",
    "integrated": "Gradients along the way from a sequence of N; their sum is the difference of the answers.",
    "expected": "Gradients along the ways from shuffles that keep the dinucleotides; their sum is the difference of "
                "the answers.",
}  # fmt: skip


MUTATES = "mutagenesis"
SUMS = ("integrated", "expected")  # methods whose contributions add up to a difference of answers


@dataclass(frozen=True, repr=False)
class Explanations(Table):
    """What the bases of sequences give to what a model says of them.

    Args:
        names: of the sequences.
        sequences: base ids of each.
        targets: class, label or value that is explained, for each.
        attributions: hypothetical contributions of A C G T, contributions of the bases, and of their motif ids.
        method: "mutagenesis", "gradient", "integrated" or "expected".
        unit: of the contributions.
        vocabulary: motif classes of the model.
        attention: of the first sequences, for the page.
        places: where the sequences lie in a genome; () where that is not known.
        sizes: bases of every contig of that genome.
    """

    names: tuple[str, ...]
    sequences: tuple[UInt8[np.ndarray, "n"], ...]
    targets: tuple[str, ...]
    attributions: tuple[Attribution, ...]
    method: str
    unit: str
    vocabulary: MotifVocabulary
    attention: tuple[MotifAttention, ...] = ()
    places: tuple[Interval, ...] = ()
    sizes: Mapping[str, int] | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def summary(self) -> str:
        """How much of what."""
        return f"{counted(len(self), 'sequence')} by {self.method}, in {self.unit}"

    @property
    def header(self) -> list[str]:
        """Place, base, its contribution, that of its motif id, and what each base would give."""
        return ["name", "position", "base", "target", "contribution", "by_motif", "A", "C", "G", "T"]

    def rows(self) -> Iterator[list[object]]:
        """One per base, counted from 0."""
        for name, ids, target, found in zip(self.names, self.sequences, self.targets, self.attributions, strict=True):
            columns = (decode(ids), found.contributions.tolist(), found.by_motif.tolist(), found.hypothetical.tolist())
            for i, (base, value, motif, would) in enumerate(zip(*columns, strict=True)):
                yield [name, i, base, target, value, motif, *would]

    def seqlets(self) -> Iterator[tuple[int, Seqlet, list[Hit]]]:
        """Number of the sequence, a stretch that its answer rests on, and the motifs that it overlaps."""
        for k, (ids, found) in enumerate(zip(self.sequences, self.attributions, strict=True)):
            motifs = hits(ids, self.vocabulary)
            for one in seqlets(found.contributions + found.by_motif):
                yield k, one, [hit for hit in motifs if hit.start < one.end and hit.end > one.start]

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """One-hot sequences and hypothetical contributions, both (N, 4, L) in the order A C G T, zeros behind."""
        longest = max(map(len, self.sequences))
        one_hot, shap = (np.zeros((len(self), 4, longest), np.float32) for _ in range(2))
        for k, (ids, found) in enumerate(zip(self.sequences, self.attributions, strict=True)):
            known = np.flatnonzero(ids < N)
            one_hot[k, ids[known], known] = 1
            shap[k, :, : len(ids)] = found.hypothetical.T
        return one_hot, shap

    def write(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write a page, tables, arrays for tf-modisco and, with places, a BigWig file; all of them or none.

        The folder has index.html, bases.tsv, seqlets.tsv, `ohe.npz` and `shap.npz` (read with `modisco motifs -s
        ohe.npz -a shap.npz`), and contributions.bw.

        Raises:
            ConfigError: something is there already, or something else than an explanation is to be replaced.
            MissingExtraError: BigWig, and pybigtools is not installed.
        """
        put(folder, self._fill, overwrite=overwrite)

    def _fill(self, folder: Path) -> None:
        (folder / INDEX).write_text(self.html(), encoding="utf-8")
        one_hot, shap = self.arrays()
        np.savez_compressed(folder / ONE_HOT, one_hot)
        np.savez_compressed(folder / SHAP, shap)
        self.to_tsv(folder / BASES)
        head = ["name", "start", "end", "sequence", "target", "contribution", "motifs"]
        write_tsv(folder / SEQLETS, head, self._seqlet_rows())
        if self.places:
            write_bigwig(folder / BIGWIG, dict(self.sizes or {}), self._bars())

    def _seqlet_rows(self) -> Iterator[list[object]]:
        for k, one, motifs in self.seqlets():
            letters = decode(self.sequences[k][one.start : one.end])
            named = "|".join(dict.fromkeys(hit.name for hit in motifs))
            yield [self.names[k], one.start, one.end, letters, self.targets[k], float(f"{one.contribution:.6g}"), named]

    def _bars(self) -> Iterator[tuple[str, int, int, float]]:
        for place, found in zip(self.places, self.attributions, strict=True):
            total = (found.contributions + found.by_motif)[:: -1 if place.strand == "-" else 1]
            size = dict(self.sizes or {}).get(place.chrom, place.end)
            for i, value in enumerate(total.tolist(), start=place.start):
                if 0 <= i < size:  # a window may reach over the ends of its contig
                    yield place.chrom, i, i + 1, value

    def html(self) -> str:
        """The page: letters, motifs, mutations and attention of the first sequences."""
        shown = range(min(SHOWN, len(self)))
        left = [a.residual for a in self.attributions if a.residual == a.residual]
        tiles = [
            Tile(f"{len(self):,}", "sequences", is_key=True), Tile(self.method, "method"),
            Tile(", ".join(dict.fromkeys(self.targets)) if len(set(self.targets)) < 4 else "several", "explained"),
            *([Tile(f"{max(left):.2%}", "largest part of a difference that is not explained")] if left else []),
        ]  # fmt: skip
        sections = [glyphs() + self._overview(), *(self._section(k) for k in shown)]
        more = "" if len(self) <= SHOWN else f" The first {SHOWN} are shown; the files beside this page hold all."
        return page(
            "gattn explain", "Why the model says so", f"{ABOUT[self.method]} Letters are as high as what their base "
            f"gives to the answer, in {self.unit}; below the line they speak against it.{more}", tiles, sections,
            "A contribution says what the model uses, not what the cell does. Research use, not diagnosis.",
        )  # fmt: skip

    def _overview(self) -> str:
        rows = [[self.names[k], self.targets[k], f"{a.answer:+.3f}", f"{a.contributions.sum() + a.by_motif.sum():+.3f}",
                 f"{a.residual:.2%}"] for k, a in enumerate(self.attributions[:SHOWN])]  # fmt: skip
        head = ["sequence", "explained", f"answer ({self.unit})", "sum of contributions", "not explained"]
        kept = slice(None) if self.method in SUMS else slice(3)
        shown = table(head[kept], [row[kept] for row in rows])
        return section("Sequences", "What the model says of each.", shown, wide=True)

    def _section(self, k: int) -> str:
        about = f"{self.targets[k]}: {self.attributions[k].answer:+.3f} {self.unit}."
        if len(self.sequences[k]) > WHOLE_BP:
            about += " Above, all of it; below, letter by letter the stretches that give most."
        if self.method == MUTATES:
            about += " Under the letters: what every other base would change, teal up and orange down."
        content = self.drawing(k)
        if k < len(self.attention):
            look = self.attention[k]
            content += share_drawing(look.motifs, self.vocabulary.colours, look.share, look.frequency,
                                     f"attention by motif in {self.names[k]}")  # fmt: skip
        return section(self.names[k], about, content, wide=True)

    def changes(self, k: int) -> Float[np.ndarray, "n 4"]:
        """What every other base of a sequence in place of the one that is there adds to the answer; 0 for N."""
        found, ids = self.attributions[k], self.sequences[k]
        own = np.take_along_axis(found.hypothetical, np.minimum(ids, 3)[:, None].astype(np.int64), axis=1)
        changes: np.ndarray = np.where((ids < N)[:, None], found.hypothetical - own, 0.0)
        return changes

    def drawing(self, k: int) -> str:
        """Letters, motifs and mutations of a sequence; a page needs `logo.glyphs` once."""
        found, ids = self.attributions[k], self.sequences[k]
        colours = self.vocabulary.colours
        spans = [HitSpan(hit.start, hit.end, hit.name, colours[hit.id]) for hit in hits(ids, self.vocabulary)]
        drawing, shown = letters_drawn(decode(ids), found.contributions, spans,
                                       f"contributions of the bases of {self.names[k]}", self.unit,
                                       self.changes(k) if self.method == MUTATES else None)  # fmt: skip
        kinds = dict.fromkeys((span.name, span.colour) for span in shown)
        return drawing + legend([(colour, motif) for motif, colour in kinds])


def put(folder: str | Path, fill: Callable[[Path], object], *, overwrite: bool, mark: str = SHAP) -> None:
    """Write a folder, all of it or nothing.

    Args:
        folder: where to; folders above it are made.
        fill: writes the files into a folder that is given to it.
        overwrite: replace a folder of the kind.
        mark: a file that every folder of the kind has.

    Raises:
        ConfigError: see `require_new`.
    """
    path = Path(folder)
    require_new(path, overwrite=overwrite, mark=mark)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_folder(path, fill)


def require_new(path: Path, *, overwrite: bool, mark: str = SHAP) -> None:
    """Refuse a folder in which something stands; with `overwrite`, one that was not made as this one is.

    Args:
        path: the folder.
        overwrite: replace it.
        mark: a file that every folder of the kind has.

    Raises:
        ConfigError: as above.
    """
    if not path.exists():
        return
    is_ours = path.is_dir() and ((path / mark).exists() or not any(path.iterdir()))
    if not overwrite:
        raise ConfigError(f"{path}: expected a new folder, got one that exists; choose another name or overwrite it")
    if not is_ours:
        raise ConfigError(f"{path}: expected a folder with {mark}, as an earlier run made it, got something else; "
                          "choose another name")
