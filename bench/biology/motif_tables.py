"""The tables of benches that are about motifs and words; of study_words those of binding.toml."""

from __future__ import annotations

import math

import numpy as np

from bench.biology.study_table import reached
from bench.tables import Line, markdown, newest
from gattn_tg.front.why.discoveries import EVIDENCE

# of study_words.py: the best linear model, one sum of network and linear model, the network alone
OTHERS = ("gapped, motifs", "words, jaspar", "none", "placed", "binding.toml")


def aligned() -> str:
    """Per design: means over seeds."""
    cells: dict[str, list[Line]] = {}
    for x in newest("aligned", "design", "seed"):
        cells.setdefault(x["design"], []).append(x["test"])
    shown = ("loss", "accuracy", "mcc", "auc")
    rows = [[design, str(len(tests)), *(f"{np.mean([t[name] for t in tests]):.4f}" for name in shown)]
            for design, tests in sorted(cells.items())]
    return markdown(["design", "seeds", "test loss", "accuracy", "MCC", "AUC"], rows)


def recovery() -> str:
    """Per factor, start and rate of the filters: every seed."""
    cells: dict[tuple[str, str, str], list[Line]] = {}
    for x in newest("recovery", "factor", "start", "filter_rate", "seed"):
        cells.setdefault((x["factor"], x["start"], f"{x['filter_rate']:g}"), []).append(x)
    rows = [[*cell, *(", ".join(f"{x[name]:.3f}" for x in lines) for name in ("before", "after")),
             f"{np.mean([x['test_auc'] for x in lines]):.3f}"] for cell, lines in sorted(cells.items())]
    return markdown(["planted", "filters begin as", "rate", "most alike before, each seed", "after", "test AUC"], rows)


def planted() -> str:
    """Per motif and what the model reads."""
    read = {"jaspar": "ids", "strengths": "strengths, words", "default": "ids of the default vocabulary"}
    rows = [[f"{x['motif']} ({x['matrix']})", read[x["vocabulary"]], f"{x['positives']} of {x['test_rows']:,}",
             f"{x['auprc']:.3f}", f"{x['log_odds_auprc']:.3f}", f"{x['auc']:.3f}", f"{x['log_odds_auc']:.3f}"]
            for x in newest("planted", "motif", "matrix", "vocabulary", "seed")]
    return markdown(["motif", "the model reads", "positive", "AUPRC", "of log odds", "AUC", "of log odds"], rows)


def accessibility() -> str:
    """Per method: the newest run."""
    rows = [[x["method"], f"{x['rows']['train']:,}", *(f"{x[name]:.3f}" for name in ("pearson", "spearman", "r2"))]
            for x in newest("accessibility", "method", "loss", "seed")]
    return markdown(["method", "rows", "Pearson r", "Spearman rho", "R²"], rows)


def annotation() -> str:
    rows = [[x["case"], f"{x['bases']:,}", f"{x['sites']:,}", f"{x['other']}",
             *(f"{x['times'][who]['median_ms']:.0f}" for who in ("annotate", "lightmotif")), f"{x['ratio']:.2f}"]
            for x in newest("annotation", "case", "bases")]
    return markdown(["case", "bases", "sites", "found by one only", "ours ms", "lightmotif ms", "ratio"], rows)


def grammar() -> str:
    """Per task and design: every seed."""
    cells: dict[tuple[str, str], list[Line]] = {}
    for x in newest("grammar", "task", "design", "seed"):
        cells.setdefault((x["task"], x["design"]), []).append(x)
    rows = []
    for cell, lines in sorted(cells.items(), key=lambda at: at[0][0]):
        seen = [reached(x["curve"], 0.9) for x in lines]
        told = ", ".join(f"{n:,.0f}" if math.isfinite(n) else f"not in {x['examples']:,}"
                         for n, x in zip(seen, lines, strict=True))
        rows.append([*cell, ", ".join(f"{x['test_auc']:.3f}" for x in lines), told])
    return markdown(["task", "design", "test AUC, each seed", "examples to a validation AUC of .9"], rows)


def study_apart() -> str:
    """binding.toml as it is shipped and as it was: the whole, its parts, and how far above others with equal seeds."""
    cells: dict[tuple[str, float], dict[str, dict[int, Line]]] = {}
    for x in newest("study_words", "set", "fraction", "design", "seed"):
        cells.setdefault((x["set"], x["fraction"]), {}).setdefault(x["design"], {})[x["seed"]] = x
    rows = []
    for (name, fraction), designs in sorted(cells.items(), key=lambda cell: (cell[0][0], -cell[0][1])):
        for design, runs in designs.items():
            if not design.startswith("binding.toml"):
                continue
            means = [_mean([x[key] for x in runs.values() if key in x])
                     for key in ("test_auc", "test_auc_network", "test_auc_linear", "test_auc_placed")]  # fmt: skip
            others = ["" if other == design else _above(runs, designs.get(other, {})) for other in OTHERS]
            rows.append([name, f"{fraction:.0%}", design, str(len(runs)), *means, *others])
    alone = ("its network alone", "its linear part alone", "its places alone")
    return markdown(["set", "of the data", "design", "seeds", "test AUC", *alone,
                     *(f"less {other}" for other in OTHERS)], rows)


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):.4f}" if values else ""


def _above(runs: dict[int, Line], others: dict[int, Line]) -> str:
    """How far the test AUC over both strands is above that of others with each seed that both have, and the mean."""
    seeds = sorted(set(runs) & set(others))
    gains = [runs[s]["test_auc"] - others[s].get("test_auc_both", others[s]["test_auc"]) for s in seeds]
    told = ", ".join(f"{gain:+.4f}" for gain in gains)
    return f"{told}: {np.mean(gains):+.4f}" if len(gains) > 1 else told


def mpra() -> str:
    """A row for each score, a column for each element, and the means first."""
    lines = newest("mpra", "score")
    names = list(lines[0]["elements"]) if lines else []
    rows = [[x["score"], f"{x['mean_pearson']:.3f} ({x['mean_spearman']:.3f})",
             *("{1:.2f} ({2:.2f})".format(*x["elements"][name]) for name in names)] for x in lines]
    counted = ["variants", "", *(f"{lines[0]['elements'][name][0]:,}" for name in names)] if lines else []
    return markdown(["score", "mean", *names], [counted, *rows])


def discover() -> str:
    """The newest search for each motif that must be found."""
    rows = [[x["motif"], f"{x['n_positive']:,} / {x['n_negative']:,}", f"{x['checkpoints']}", f"{x['auc']:.3f}",
             "yes" if x["is_found"] else "no", f"{x['rank']} of {x['looked_for']}",
             *(f"{x['evidence'][kind]['value']:+.3f} ({x['evidence'][kind]['q']:.2g})" for kind in EVIDENCE)]
            for x in newest("discover", "motif")]  # fmt: skip
    return markdown(["motif", "positives / negatives", "checkpoints", "test AUC", "found", "rank", *EVIDENCE], rows)
