"""The motifs whose strengths a model of whole sequences reads: what they resemble, and what they give to answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gattn_tg.data.genomes.bundled import JASPAR, bundled
from gattn_tg.errors import counted
from gattn_tg.explain.drawings.logo import glyphs
from gattn_tg.explain.drawings.motif_logo import motif_logo
from gattn_tg.explain.drawings.page import Tile, page, section
from gattn_tg.front.asked_model import AskedModel
from gattn_tg.front.why.explanations import put
from gattn_tg.front.why.paired import ReadPairs, read_pairs
from gattn_tg.io import read_matrices
from gattn_tg.io.motifs.meme import meme_text
from gattn_tg.models.readouts.sequences import ClassReadout, SequenceReadout
from gattn_tg.motif.frequencies import information, of_counts, of_log_odds
from gattn_tg.motif.similar import Match, nearest
from gattn_tg.score.table import Table
from gattn_tg.types import Float

SHOWN = 40  # motifs on the page; the files hold all
INDEX, TABLE, MATRICES, PAIRS = "index.html", "motifs.tsv", "motifs.meme", "pairs.tsv"


@dataclass(frozen=True, repr=False)
class ReadMotifs(Table):
    """Motifs of a model, those first that give most to an answer.

    Args:
        filters: place of each among the filters of the model.
        motifs: frequencies of A, C, G and T, as the filters are now.
        names: the known motif that each resembles most.
        ids: of these known motifs.
        matches: how much they resemble them.
        answers: names of what the model answers: of two classes the second, as log odds.
        strongest: what one standard deviation more of the strongest site gives to each answer, by the linear model
            beside the network.
        total: the same of the logarithm of all sites together.
        pairs: what two of the motifs at a distance give, of a model with `motif_pairs`; else None.
    """

    filters: tuple[int, ...]
    motifs: Float[np.ndarray, "t w 4"]
    names: tuple[str, ...]
    ids: tuple[str, ...]
    matches: tuple[Match, ...]
    answers: tuple[str, ...]
    strongest: Float[np.ndarray, "t o"]
    total: Float[np.ndarray, "t o"]
    pairs: ReadPairs | None = None

    @property
    def summary(self) -> str:
        """How many there are."""
        return counted(len(self.filters), "motif")

    @property
    def header(self) -> list[str]:
        """A motif, what it resembles, and what it gives to each answer."""
        effects = [f"{part} {name}" for name in self.answers for part in ("strongest", "total")]
        return ["filter", "resembles", "matrix", "similarity", "strand", "bits", *effects]

    def rows(self) -> Iterator[list[object]]:
        """One per motif."""
        known = zip(self.filters, self.names, self.ids, self.matches, strict=True)
        for i, (which, name, matrix, match) in enumerate(known):
            effects = np.stack([self.strongest[i], self.total[i]], axis=1).reshape(-1).tolist()
            bits = float(information(self.motifs[i]).sum())
            yield [which, name, matrix, match.similarity, match.strand, bits, *effects]

    def write(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write index.html (the logos of the motifs that give most), motifs.tsv and motifs.meme into a folder.

        With `pairs`, these go to pairs.tsv.

        Raises:
            ConfigError: something stands there; with `overwrite`, something else than such a folder.
        """
        put(folder, self._fill, overwrite=overwrite, mark=MATRICES)

    def _fill(self, folder: Path) -> None:
        (folder / INDEX).write_text(self.html(), encoding="utf-8")
        self.to_tsv(folder / TABLE)
        if self.pairs is not None:
            self.pairs.to_tsv(folder / PAIRS)
        matrices = [(f"filter_{i}", name, motif.tolist())
                    for i, name, motif in zip(self.filters, self.names, self.motifs, strict=True)]  # fmt: skip
        (folder / MATRICES).write_text(meme_text(matrices), encoding="utf-8")

    def html(self) -> str:
        """The page."""
        similarity = np.mean([match.similarity for match in self.matches])
        tiles = [Tile(str(len(self.filters)), "motifs"),
                 Tile(f"{similarity:.2f}", "mean similarity to the nearest known one")]  # fmt: skip
        return page(
            "gattn_tg", "Motifs that the model reads",
            "What one standard deviation more of a motif gives to an answer, by the linear model beside the network.",
            tiles, [glyphs(), *([self.pairs.drawn()] if self.pairs is not None else []),
                    *map(self._card, range(min(SHOWN, len(self.filters))))],
            "Similarity is the correlation of base frequencies at the best alignment. An effect is what the model has "
            "learnt from its data, and no proof that a factor binds. For research, not for diagnosis.",
        )  # fmt: skip

    def _card(self, i: int) -> str:
        match = self.matches[i]
        effects = zip(self.answers, self.strongest[i].tolist(), self.total[i].tolist(), strict=True)
        gives = "; ".join(f"{name}: {one:+.3f} for the strongest site, {every:+.3f} for all"
                          for name, one, every in effects)  # fmt: skip
        title = f"{self.names[i]} ({self.ids[i]}), similarity {match.similarity:.2f}"
        drawn = motif_logo(self.motifs[i], f"filter {self.filters[i]}")
        return section(title, f"filter {self.filters[i]}. {gives}", f'<div style="max-width:420px">{drawn}</div>')


def read_motifs(model: AskedModel, readout: SequenceReadout, matrices: str | Path | None) -> ReadMotifs:
    """The motifs of a model with `filters`; see `TrainedSequences.read_motifs`."""
    known = list(read_matrices(bundled(JASPAR) if matrices is None else matrices))
    with model.here():
        bits = model.model.filters.weight.numpy().transpose(0, 2, 1)
        effects, config = model.model.effects(), model.model.config
        of_pairs = model.model.pair_effects() if config.motif_pairs else None
    answers, effects = named(readout, effects)
    strongest, total = np.split(effects, 2)
    order = np.argsort(-(np.abs(strongest) + np.abs(total)).sum(1), kind="stable")
    motifs = of_log_odds(bits)[order]
    matches = nearest(motifs, [of_counts(matrix.counts) for matrix in known])
    names = tuple(known[x.which].name for x in matches)
    pairs = None
    if of_pairs is not None:
        of_filter = dict(zip(order.tolist(), names, strict=True))
        paired = [of_filter[i] for i in range(config.motif_pairs)]
        pairs = read_pairs(config, paired, answers, named(readout, of_pairs)[1])
    return ReadMotifs(
        tuple(order.tolist()), motifs, names, tuple(known[x.which].id for x in matches), tuple(matches), answers,
        strongest[order], total[order], pairs,
    )  # fmt: skip


def named(
    readout: SequenceReadout, weights: Float[np.ndarray, "f o"]
) -> tuple[tuple[str, ...], Float[np.ndarray, "f a"]]:
    """Names of the answers and weights for each: of classes only differences matter, so two have one answer."""
    if not isinstance(readout, ClassReadout):
        return readout.labels, weights
    if len(readout.labels) == 2:
        return readout.labels[1:], weights[:, 1:] - weights[:, :1]
    return readout.labels, weights - weights.mean(1, keepdims=True)
