"""The page that `gattn demo` leaves: numbers, curves, confusion, motif table, and the locus."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from tinygrad.nn.state import get_state_dict

from gattn_tg.cli.demo.explained import Explained
from gattn_tg.cli.demo.learn import Outcome, compared, margin
from gattn_tg.cli.demo.locus import CHROM, SHOWN, Locus, shown_line, verdicts
from gattn_tg.data import LabelledSequences
from gattn_tg.explain.drawings import charts
from gattn_tg.explain.drawings.attention import received_drawing, share_drawing
from gattn_tg.explain.drawings.line_chart import Line, line_chart
from gattn_tg.explain.drawings.logo import glyphs
from gattn_tg.explain.drawings.page import Tile, legend, page, pair, section
from gattn_tg.explain.drawings.precision import Ranking, precision_chart
from gattn_tg.explain.drawings.svg import BLUE, INK, MUTED, ORANGE, TEAL
from gattn_tg.explain.drawings.tracks import Site, Span, Tracks, binned
from gattn_tg.explain.motif_table import centred, motif_frequency
from gattn_tg.front.why.explanations import Explanations
from gattn_tg.metrics.precision import precision_recall
from gattn_tg.motif import MotifVocabulary, annotate, cpg_islands
from gattn_tg.score.junctions import Judgement
from gattn_tg.score.splice import GENOMIC_SHARE, TRAINED_SHARE
from gattn_tg.seq import encode
from gattn_tg.seq.composition import cpg_observed_expected, gc_fraction

N_BINS, N_NARROW = 420, 280
NAMES = {"ei": "donor", "ie": "acceptor", "n": "neither"}


def demo_page(
    result: dict[str, Any],
    outcomes: list[Outcome],
    locus: Locus,
    two: list[Explained],
    test: LabelledSequences,
    vocabulary: MotifVocabulary,
) -> str:
    """The HTML of summary.html."""
    biased, plain = outcomes
    shown, found = sum(j.n_shown for j in locus.judgements), sum(j.n_found for j in locus.judgements)
    tiles = [
        Tile(
            f"{biased.test.accuracy:.1%}", f"test accuracy with motif bias (± {margin(biased.test):.1%})", is_key=True
        ),
        Tile(f"{plain.test.accuracy:.1%}", f"the same model without it (± {margin(plain.test):.1%})"),
        Tile(f"{found:,} of {shown:,}", "splice sites shown on chromosome 16 are known ones"),
        Tile(f"{result['seconds']:.0f} s", f"for everything, on {result['device']}"),
        Tile(f"{result['n_parameters']:,}", "parameters"),
    ]
    labels = [NAMES.get(name, name) for name in biased.checkpoint.labels]
    return page(
        "gattn demo",
        "Splice sites in primate DNA, and a look at human chromosome 16",
        f"A transformer with a learnable motif bias read 2,000 windows of 60 bases and told {biased.test.n} "
        "others apart: exon-intron borders (donors), intron-exon borders (acceptors), and neither. "
        f"{compared(biased.test, plain.test)} A genome is harder. {verdicts(locus.judgements)[0]}",
        tiles,
        [
            pair(_curves(biased, plain), _confusion(biased, labels)),
            _motif_table(biased, test, vocabulary),
            _locus(locus, vocabulary),
            _zoom(locus),
            pair(*_precisions(locus)),
            *(_explained(one, vocabulary) for one in two),
            *(_why(one, one.why) for one in two if one.why is not None),
        ],
        "Splice junctions: Towell, Noordewier and Shavlik, UCI repository (CC BY 4.0). Genome: GRCh38, public domain. "
        "Exons: NCBI RefSeq. "
        f"gattn_tg {result['version']}, seed {result['seed']}, {result['epochs']} epochs. Research use, not diagnosis.",
    )


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
        charts.MOTIF_TABLE,
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
        .genes(_genes(locus))
        .boxes("exons", "RefSeq", _exons(locus))
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


def _genes(locus: Locus) -> list[Span]:
    """From the first exon of a gene to its last, over all its transcripts."""
    found: dict[str, Span] = {}
    for feature in locus.exons:
        exon, name = feature.interval, feature.gene_name
        gene = found.get(name, Span(exon.start, exon.end, name, exon.strand))
        found[name] = Span(min(gene.start, exon.start), max(gene.end, exon.end), name, exon.strand)
    return list(found.values())


def _exons(locus: Locus, start: int = 0, end: int = sys.maxsize) -> list[Span]:
    """Those that touch a stretch, each once."""
    every = {(f.interval.start, f.interval.end, f.gene_name, f.interval.strand) for f in locus.exons}
    return [
        Span(a, b, f"{name} ({strand})", strand, BLUE if strand == "-" else TEAL)
        for a, b, name, strand in sorted(every) if b > start and a < end
    ]  # fmt: skip


def _zoom(locus: Locus) -> str:
    from_, to = locus.stretch
    shown = [
        Site(site.position, float(p), site.kind, site.strand, bool(real))
        for site, p, real in zip(locus.sites, locus.probability, locus.real, strict=True) if p > SHOWN
    ]  # fmt: skip
    tracks = (
        Tracks("chr16", from_, to)
        .genes([gene for gene in _genes(locus) if gene.end > from_ and gene.start < to])
        .boxes("exons", "RefSeq", _exons(locus, from_, to))
        .splice_sites(shown, SHOWN)
    )
    return section(
        "Predicted splice sites",
        f"{len(shown):,} of {len(locus.sites):,} GT and AG of {to - from_:,} bases, both strands, judged one by one, "
        f"score above {SHOWN:g}: those that locus_splice_sites.tsv has as shown. {verdicts(locus.judgements)[0]} "
        "Scores are weighed for one real site among a hundred, as in a stretch dense with genes, and not among three, "
        "as in training; the windows that taught the model what a site is not were easier than a genome.",
        tracks.draw("predicted splice sites and known exons")
        + legend([(ORANGE, "donor (GT)"), (BLUE, "acceptor (AG)"), (INK, "filled: known, in RefSeq; hollow: not")]),
        wide=True,
    )


def _precisions(locus: Locus) -> list[str]:
    _, *each = verdicts(locus.judgements)
    return [_precision(locus, judgement, words) for judgement, words in zip(locus.judgements, each, strict=True)]


def _precision(locus: Locus, judgement: Judgement, verdict: str) -> str:
    rows = locus.of_kind(judgement.kind)
    rankings = [
        Ranking(colour, precision.tolist(), recall.tolist())
        for colour, score in ((ORANGE, locus.matrix_score), (TEAL, locus.probability))
        for precision, recall in [precision_recall(locus.real[rows], score[rows])]
    ]
    mark = (judgement.recall, judgement.precision) if judgement.n_shown and judgement.n_real else None
    line = shown_line(judgement)
    return section(
        f"Which {judgement.kind}s are real",
        f"{line[0].upper()}{line[1:]} (circle). {verdict} A weight matrix only counts the bases at every position of "
        "the same training windows.",
        precision_chart(rankings, judgement.by_chance, mark, f"precision and recall of {judgement.kind}s")
        + legend([(TEAL, "model"), (ORANGE, "weight matrix"), (MUTED, "dashed: by chance")]),
    )


def _explained(one: Explained, vocabulary: MotifVocabulary) -> str:
    known = "RefSeq has it" if one.is_known else "RefSeq does not have it"
    return section(
        one.title,
        f"Probability {one.probability:.2f}; {known}. Where the model looks in these {one.motif_ids.size} bases, read "
        f"along the strand; the dashed line is the junction. Its two bases receive {one.at_junction:.1f} times the "
        "mean attention. Exact: one forward pass, no approximation and no sampling. It does not say what a base does "
        "to the answer: attention is not effect, and a base that is looked at may change nothing.",
        received_drawing(
            one.site.window.sequence.decode(), one.motif_ids, vocabulary.names, vocabulary.colours,
            one.attention.received, one.motif_ids.size // 2, f"attention that each base receives: {one.title}",
        )
        + share_drawing(
            vocabulary.names, vocabulary.colours, one.attention.share, one.attention.frequency,
            f"share of attention on each motif: {one.title}",
        )
        + legend([(TEAL, "more than an equal share"), (ORANGE, "less")]),
        wide=True,
    )  # fmt: skip


def _why(one: Explained, why: Explanations) -> str:
    return section(
        f"What every base does: {one.site.kind} {CHROM}:{one.site.position + 1:,} ({one.site.strand})",
        "Every base of the window was changed to each of the other three, its motifs found anew, and the model asked "
        f"again. Letters are as high as what they give to the log odds of a {one.site.kind}, in nats, read along the "
        f"strand, the junction behind base {len(why.sequences[0]) // 2}; below them what every other base would "
        f"change, teal up and orange down. These log odds are what the model itself says, which learnt "
        f"from windows of which {TRAINED_SHARE:.0%} were real; the probability {one.probability:.2f} counts in that of "
        f"all GT and AG of a genome about {GENOMIC_SHARE:.0%} are. A variant: {one.variant}. The commands gattn "
        "variants and gattn explain tell this of any variant, sequence and model.",
        glyphs() + why.drawing(0),
        wide=True,
    )
