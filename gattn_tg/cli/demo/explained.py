"""Two sites of the stretch explained by what the model attends to, and of the known one every change of a base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import gattn_tg
from gattn_tg.cli.demo.locus import CHROM, Locus
from gattn_tg.front.attention import MotifAttention
from gattn_tg.front.why.explanations import Explanations
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.score.splice import LABELS, Candidate
from gattn_tg.seq import encode
from gattn_tg.types import UInt8


@dataclass(frozen=True)
class Explained:
    """One candidate and where the model looks in its window.

    Args:
        site: the candidate.
        probability: of being a junction, as the table and the page have it.
        is_known: whether RefSeq has it.
        motif_ids: of each base of the window.
        attention: exact shares, per layer and head.
        why: what every base of the window gives to the log odds of a junction, and what its changes would; None where
            that was not asked.
    """

    site: Candidate
    probability: float
    is_known: bool
    motif_ids: UInt8[np.ndarray, "n"]
    attention: MotifAttention
    why: Explanations | None = None

    @property
    def title(self) -> str:
        """What it is and where."""
        known = "A known" if self.is_known else "No known"
        return f"{known} {self.site.kind}: {CHROM}:{self.site.position + 1:,} ({self.site.strand})"

    @property
    def at_junction(self) -> float:
        """What the GT or AG receives, times the mean over all bases, over layers and heads."""
        n = self.attention.received.shape[2]
        first = n // 2 if self.site.kind == "donor" else n // 2 - 2
        return float(self.attention.received[:, :, first : first + 2].mean() * n)

    @property
    def line(self) -> str:
        """The same in a line."""
        what = f"its two bases receive {self.at_junction:.1f} times the mean attention"
        return f"{self.title}, p={self.probability:.2f}: {what}"


    @property
    def variant(self) -> str:
        """Of all changes of one base in the window, the one that takes most from the answer, on the + strand."""
        if self.why is None:
            return ""
        changes = self.why.changes(0)
        i, alt = np.unravel_index(int(changes.argmin()), changes.shape)
        n, own = len(changes), self.why.sequences[0][i]
        forward = self.site.strand == "+"
        at = self.site.position + (int(i) - n // 2 if forward else n // 2 - 1 - int(i))
        ref, new = ("ACGT"[base if forward else 3 - base] for base in (int(own), int(alt)))
        answer = self.why.attributions[0].answer
        return (f"{CHROM}:{at + 1:,} {ref}>{new} does most of all {3 * n} changes of one base around it: the log odds "
                f"of a {self.site.kind} fall from {answer:+.2f} to {answer + changes.min():+.2f} nats")


def explained(folder: Path, locus: Locus, vocabulary: MotifVocabulary) -> list[Explained]:
    """The known site with the highest probability, and the one of its kind that is not known and has the highest.

    Args:
        folder: of the checkpoint that is asked.
        locus: with at least one candidate.
        vocabulary: of the model.
    """
    model = gattn_tg.load(folder)
    rows = [best(locus.probability, locus.real)]
    kind = locus.sites[rows[0]].kind if rows[0] is not None else next(iter(LABELS))
    rows.append(best(locus.probability, ~locus.real & locus.of_kind(kind)))
    found = []
    for k, row in enumerate(rows):
        if row is not None:
            site = locus.sites[row]
            why = None if k else model.explain(site.window, target=LABELS[site.kind], attention=False)
            found.append(Explained(
                site, float(locus.probability[row]), bool(locus.real[row]),
                annotate(encode(site.window.sequence), vocabulary), model.motif_attention(site.window), why,
            ))  # fmt: skip
    return found


def best(score: np.ndarray, among: np.ndarray) -> int | None:
    """The row with the highest score, None where there is no row."""
    rows = np.flatnonzero(among)
    return int(rows[score[rows].argmax()]) if rows.size else None
