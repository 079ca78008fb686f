"""The page that `gattn demo` leaves: numbers, curves, confusion, motif table, and the locus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tinygrad.nn.state import get_state_dict

from gattn_tg.data import LabelledSequences
from gattn_tg.explain.drawings import charts
from gattn_tg.explain.drawings.lines import Line, line_chart
from gattn_tg.explain.drawings.page import Tile, legend, page, pair, section
from gattn_tg.explain.drawings.svg import BLUE, MUTED, ORANGE, TEAL
from gattn_tg.explain.drawings.tracks import Site, Span, Tracks, binned
from gattn_tg.explain.motif_table import centred, motif_frequency
from gattn_tg.metrics.classes import Metrics
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.forward import Forward
from gattn_tg.motif import MotifVocabulary, annotate, cpg_islands
from gattn_tg.score.splice import Candidate
from gattn_tg.seq import encode
from gattn_tg.seq.composition import cpg_observed_expected, gc_fraction
from gattn_tg.training.loop.watch import Fitted

# Genes of the locus, GRCh38, 0-based half-open and rounded to 100 bases: orientation for the reader, not a result.
GENES = (
    ("LUC7L", 189_000, 229_500, "-"), ("FAM234A", 234_500, 269_900, "+"), ("RGS11", 268_700, 276_000, "-"),
    ("ARHGDIG", 280_300, 283_000, "+"), ("PDIA2", 283_100, 287_200, "+"), ("AXIN1", 287_400, 352_700, "-"),
    ("MRPL28", 367_000, 370_500, "-"), ("PGAP6", 370_800, 382_100, "-"),
)  # fmt: skip
N_BINS, N_NARROW = 420, 280
SHOWN = 0.5  # probability from which a predicted site is drawn
NAMES = {"ei": "donor", "ie": "acceptor", "n": "neither"}


@dataclass(frozen=True)
class Outcome:
    """One trained model of the comparison."""

    name: str
    fitted: Fitted
    forward: Forward
    checkpoint: Checkpoint
    test: Metrics
    confusion: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Locus:
    """The bundled stretch of chromosome 16 and what was found in it."""

    sequence: bytes
    offset: int
    motif_counts: dict[str, int]
    sites: list[tuple[Candidate, float]]


def demo_page(
    result: dict[str, Any],
    outcomes: list[Outcome],
    locus: Locus,
    test: LabelledSequences,
    vocabulary: MotifVocabulary,
) -> str:
    """The HTML of summary.html."""
    biased, plain = outcomes
    tiles = [
        Tile(
            f"{biased.test.accuracy:.1%}", f"test accuracy with motif bias (± {_margin(biased.test):.1%})", is_key=True
        ),
        Tile(f"{plain.test.accuracy:.1%}", f"the same model without it (± {_margin(plain.test):.1%})"),
        Tile(f"{biased.test.auc:.4f}", "test AUC, mean over the classes"),
        Tile(f"{result['seconds']:.0f} s", f"for everything, on {result['device']}"),
        Tile(f"{result['n_parameters']:,}", "parameters"),
    ]
    labels = [NAMES.get(name, name) for name in biased.checkpoint.labels]
    return page(
        "gattn demo",
        "Splice sites in primate DNA, and a look at human chromosome 16",
        f"A transformer with a learnable motif bias read 2,000 windows of 60 bases and told {biased.test.n} "
        "others apart: exon-intron borders (donors), intron-exon borders (acceptors), and neither. "
        f"{compared(biased.test, plain.test)}",
        tiles,
        [
            pair(_curves(biased, plain), _confusion(biased, labels)),
            _motif_table(biased, test, vocabulary),
            _locus(locus, vocabulary),
            _zoom(locus),
        ],
        "Splice junctions: Towell, Noordewier and Shavlik, UCI repository (CC BY 4.0). Genome: GRCh38, public domain. "
        f"gattn_tg {result['version']}, seed {result['seed']}, {result['epochs']} epochs. Research use, not diagnosis.",
    )


def compared(biased: Metrics, plain: Metrics) -> str:
    """What one run of each model says about their difference: something only where it exceeds chance.

    The interval of a difference of two shares p over n windows each: 1.96 sqrt(p1 (1 - p1) / n + p2 (1 - p2) / n).
    """
    difference = biased.accuracy - plain.accuracy
    margin = (_margin(biased) ** 2 + _margin(plain) ** 2) ** 0.5
    shown = f"with and without motif bias: {difference:+.1%} ± {margin:.1%} (95% interval, one seed each)"
    if abs(difference) <= margin:
        return f"The accuracies do not differ {shown}."
    return f"The accuracies differ {shown}; another seed may say otherwise."


def _margin(test: Metrics) -> float:
    """Half the 95% interval of an accuracy, from the number of windows it was measured on."""
    return 1.96 * float(np.sqrt(test.accuracy * (1 - test.accuracy) / test.n))


def _curves(biased: Outcome, plain: Outcome) -> str:
    lines = []
    for name, colour, outcome in (("with bias", TEAL, biased), ("without", ORANGE, plain)):
        values = [v.metrics["accuracy"] for v in outcome.fitted.validations]
        best = outcome.fitted.best_step // outcome.fitted.steps_per_epoch
        lines.append(Line(name, colour, range(1, len(values) + 1), values, mark=best))
    return section(
        "Learning",
        "Accuracy on the 500 windows that choose the epoch (circle). Same first weights, same order of the data.",
        line_chart(lines, "validation accuracy over epochs", "epoch"),
    )


def _confusion(biased: Outcome, labels: list[str]) -> str:
    return section(
        "Where it errs",
        "Test windows by true class (rows) and predicted class (columns).",
        charts.confusion(biased.confusion, labels, "confusion table of the test set"),
    )


def _motif_table(biased: Outcome, test: LabelledSequences, vocabulary: MotifVocabulary) -> str:
    tables = [t.numpy() for name, t in get_state_dict(biased.checkpoint.model).items() if name.endswith("motif_bias")]
    frequency = motif_frequency(test.motif_ids, test.lengths, tables[0].shape[-1])
    rows = centred(np.stack(tables), frequency)
    names = [*vocabulary.names] + [""] * (rows.shape[-1] - vocabulary.n_motifs)
    colours = [*vocabulary.colours] + [MUTED] * (rows.shape[-1] - vocabulary.n_motifs)
    return section(
        "The motif table",
        "What every layer adds to the attention score of a base because of the motif it lies in, in nats; pale bars "
        "are the first layer. Centred: a constant added to a row changes nothing, so only differences mean something. "
        "Right of 0, a motif draws more attention than the average base.",
        charts.motif_bars(rows, names, colours, frequency, "centred motif table"),
        wide=True,
    )


def _locus(locus: Locus, vocabulary: MotifVocabulary) -> str:
    ids = encode(locus.sequence)
    start, end = locus.offset, locus.offset + ids.size
    motif_ids = annotate(ids, vocabulary)
    islands = [
        Span(start + i.start, start + i.end, f"CpG island, {i.n_cpg} CpG, GC {i.gc:.0%}", colour="#2a7f3e")
        for i in cpg_islands(ids, "takai-jones")
    ]
    tracks = (
        Tracks("chr16", start, end)
        .genes([Span(a, b, name, strand) for name, a, b, strand in GENES])
        .boxes("CpG islands", "Takai & Jones", islands)
        .area("CpG", "observed / expected", binned(locus.sequence, N_BINS, cpg_observed_expected), 1.0, "#2a7f3e")
        .area("GC share", f"per {ids.size // N_BINS} bp", binned(locus.sequence, N_BINS, gc_fraction), 1.0, "#7a6a4f")
    )
    for i, name in enumerate(vocabulary.names):
        if i and name != "cpg_island" and locus.motif_counts.get(name):
            counts = np.array([float((part == i).sum()) for part in np.array_split(motif_ids, N_NARROW)])
            tracks.density(name, "", counts, vocabulary.colours[i])
    return section(
        "Motifs along 210 kb of chromosome 16",
        f"GRCh38 chr16:{start + 1:,}-{end:,}, the stretch after the alpha-globin genes. CpG islands sit at the starts "
        "of genes; darker means more bases in the motif. Names ending in - lie on the other strand.",
        tracks.draw("genes, CpG islands, composition and motifs along the locus"),
        wide=True,
    )


def _zoom(locus: Locus) -> str:
    from_, to = min(c.position for c, _ in locus.sites), max(c.position for c, _ in locus.sites)
    sites = [Site(c.position, p, c.kind, c.strand) for c, p in locus.sites if p > SHOWN]
    tracks = (
        Tracks("chr16", from_, to)
        .genes([Span(a, b, name, strand) for name, a, b, strand in GENES if b > from_ and a < to])
        .splice_sites(sites, SHOWN)
    )
    return section(
        "Predicted splice sites",
        f"{len(sites):,} of {len(locus.sites):,} GT and AG of {to - from_:,} bases, both strands, judged one by one, "
        f"score above {SHOWN:g}: those that locus_splice_sites.tsv has as shown. Scores are weighed for one real site "
        "among a hundred, as in a stretch dense with genes, and not among three, as in training. Most of what is left "
        "is still no splice site: the windows that taught the model what a site is not were easier than a genome.",
        tracks.draw("predicted splice sites") + legend([(ORANGE, "donor (GT)"), (BLUE, "acceptor (AG)")]),
        wide=True,
    )
