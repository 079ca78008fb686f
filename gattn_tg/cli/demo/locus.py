"""The stretch of chromosome 16 in `gattn demo`: its motifs, its predicted splice sites, and which of them are real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gattn_tg.cli.genomes.annotate import bed_rows
from gattn_tg.data.genomes.bundled import ALPHA_GLOBIN, ALPHA_GLOBIN_EXONS, bundled
from gattn_tg.io import read_fasta, write_bed, write_tsv
from gattn_tg.io.gtf import Feature, read_gtf
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.motif import MotifVocabulary
from gattn_tg.score.junctions import Judgement, is_real, judged, junctions, weight_matrix_scores
from gattn_tg.score.predict import fields, header, predict
from gattn_tg.score.splice import GENOMIC_SHARE, LABELS, TRAINED_SHARE, Candidate, candidates, with_prior
from gattn_tg.types import Bool, Float

WINDOW = 60  # bases of a splice window, the junction in its middle
CHROM, ZOOM = "chr16", (267_000, 290_000)  # RGS11, ARHGDIG, PDIA2 and the end of AXIN1: many exons in little space
SHOWN = 0.5  # probability above which a predicted site is shown

# position counts from 1; known: in RefSeq
COLUMNS = ["chrom", "position", "strand", "kind", "probability", "shown", "known"]


@dataclass(frozen=True)
class Locus:
    """The bundled stretch of chromosome 16 and what was found in it.

    Args:
        sequence: letters of the + strand.
        offset: coordinate of the first.
        stretch: first coordinate of the part with many genes, and one past its last.
        motif_counts: sites of each motif.
        exons: the known ones, lines of GTF.
        sites: every GT and AG of the stretch, on both strands.
        probability: of each being a junction, weighed for a genome.
        real: which of them are known junctions.
        matrix_score: what a weight matrix of the training windows says of each.
        judgements: donors, then acceptors.
    """

    sequence: bytes
    offset: int
    stretch: tuple[int, int]
    motif_counts: dict[str, int]
    exons: list[Feature]
    sites: list[Candidate]
    probability: Float[np.ndarray, "n"]
    real: Bool[np.ndarray, "n"]
    matrix_score: Float[np.ndarray, "n"]
    judgements: list[Judgement]

    def of_kind(self, kind: str) -> Bool[np.ndarray, "n"]:
        """Which sites are donors, or acceptors."""
        return np.array([site.kind == kind for site in self.sites], dtype=bool)


def scan_locus(
    home: Path, checkpoint: Checkpoint, forward: Forward, examples: dict[str, list[bytes]]
) -> Locus:
    """Annotates the whole locus, predicts every GT and AG of its gene-rich part, and compares them with RefSeq.

    Args:
        home: where locus_motifs.bed and locus_splice_sites.tsv go.
        checkpoint: the trained model.
        forward: the same, captured.
        examples: training windows by class, for the weight matrix.
    """
    record = next(read_fasta(bundled(ALPHA_GLOBIN)))
    offset = int(record.name.split(":")[1].split("-")[0])
    counts = annotate_locus(home / "locus_motifs.bed", record.sequence, offset, checkpoint.vocabulary)
    exons = list(read_gtf(bundled(ALPHA_GLOBIN_EXONS)))
    sites = list(candidates(record.sequence, chrom=CHROM, offset=offset, start=ZOOM[0], end=ZOOM[1], width=WINDOW))
    predictions = list(predict(checkpoint, (s.window for s in sites), run=forward, where="locus"))
    column = {kind: checkpoint.labels.index(label) for kind, label in LABELS.items()}
    probability = np.array([
        with_prior(p.probabilities[column[s.kind]], TRAINED_SHARE, GENOMIC_SHARE)
        for s, p in zip(sites, predictions, strict=True)
    ])  # fmt: skip
    real, matrix_score, judgements = is_real(sites, junctions(exons)), np.zeros(len(sites)), []
    for kind, label in LABELS.items():
        rows = np.flatnonzero([s.kind == kind for s in sites])
        matrix_score[rows] = weight_matrix_scores(examples[label], [sites[i].window.sequence for i in rows])
        judgements.append(judged(kind, real[rows], probability[rows], matrix_score[rows], SHOWN))
    # One table, one page, one number: `probability` is what the page draws, p_CLASS what the model said before it was
    # weighed for a genome, in which sites are rarer than in training.
    lines = (
        [*site_fields(s, p, known), *fields(said)[3:]]
        for s, p, known, said in zip(sites, probability.tolist(), real.tolist(), predictions, strict=True)
    )
    write_tsv(home / "locus_splice_sites.tsv", [*COLUMNS, *header(checkpoint.labels)[3:]], lines)
    return Locus(record.sequence, offset, ZOOM, counts, exons, sites, probability, real, matrix_score, judgements)


def annotate_locus(path: Path, sequence: bytes, offset: int, vocabulary: MotifVocabulary) -> dict[str, int]:
    """Writes the motif sites as BED; how many there are of each motif."""
    rows = list(bed_rows(CHROM, offset, sequence, vocabulary))
    write_bed(path, rows)
    counts = dict.fromkeys(vocabulary.names[1:], 0)
    for row in rows:
        counts[row.name] += 1
    return counts


def site_fields(site: Candidate, probability: float, known: bool) -> list[object]:
    """A candidate as the table has it; `position` counts from 1, as genome browsers and the page do."""
    shown = "yes" if probability > SHOWN else "no"
    place = [CHROM, site.position + 1, site.strand, site.kind]
    return [*place, f"{probability:.6f}", shown, "yes" if known else "no"]


def verdicts(judgements: Sequence[Judgement]) -> list[str]:
    """What the comparison with known sites says, in sentences: a difference only where it exceeds chance."""
    shown, found = sum(j.n_shown for j in judgements), sum(j.n_found for j in judgements)
    if not shown:
        lines = [f"No site scores above {SHOWN:g}."]
    elif 2 * found < shown:
        wrong = f"{shown - found:,} ({1 - found / shown:.0%})"
        lines = [f"Most of the {shown:,} shown sites are no known splice sites: {wrong}."]
    else:
        lines = [f"{found:,} of the {shown:,} shown sites ({found / shown:.0%}) are known splice sites."]
    for j in judgements:
        difference, low, high = j.difference
        if not j.n_real:
            lines.append(f"No {j.kind} is known here.")
            continue
        word = "better than the matrix" if low > 0 else "worse than the matrix" if high < 0 else "no certain difference"
        lines.append(
            f"Ranking {j.kind}s: average precision {j.average_precision:.2f}, by a weight matrix "
            f"{j.by_weight_matrix:.2f}, by chance {j.by_chance:.2f}; {word} ({difference:+.2f}, 95% interval "
            f"{low:+.2f} to {high:+.2f})."
        )
    return lines


def shown_line(j: Judgement) -> str:
    """Precision and recall of one kind at the threshold."""
    precision = f"precision {j.precision:.0%}" if j.n_shown else "no precision"
    recall = f"recall {j.recall:.0%}" if j.n_real else "no recall"
    among = f"{j.n_found:,} of the {j.n_real:,} known among them"
    return f"{j.kind}s: {j.n_shown:,} of {j.n_candidates:,} shown, {among}: {precision}, {recall}"
