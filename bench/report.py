"""Write the tables of the pages from the lines in bench/results/; the newest line of a case wins.

    python bench/report.py [--check]

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. With --check nothing is written, and the exit code is
1 when a table is not what the lines say.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable

import numpy as np

from bench.biology.motif_tables import (
    accessibility,
    aligned,
    annotation,
    discover,
    grammar,
    mpra,
    planted,
    recovery,
    study_apart,
)
from bench.biology.study_table import LEAST_SEEDS, PLAIN, within
from bench.biology.study_table import rows as study_rows
from bench.far_tables import context, long, positions
from bench.peer_tables import anchors, answers, compilers, inference, precision, roofline, soft, tiles
from bench.record import ROOT, lines_of
from bench.tables import Line, markdown, newest, vectors

PAGES = (ROOT / "README.md", ROOT / "bench" / "README.md")
MIXED = ("0.0", "0.05", "0.2")  # tumour shares of the table of mixtures
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def attention() -> str:
    return _attention("float32", "sdpa", "flex", "eager", "folded")


def attention_bfloat16() -> str:
    return _attention("bfloat16", "gattn_tg float32", "sdpa", "flex", "eager", "folded")


def _attention(precision: str, *peers: str) -> str:
    lines = [x for x in newest("attention", "case", "pass", "threads") if f" {precision} " in x["case"]]

    def row(x: Line) -> list[str]:
        times = [f"{x[p]['median_ms']:,.0f} ({x['ratio'][p]:.2f})" if p in x else "-" for p in peers]
        return [x["case"].split()[2][1:], x["pass"], str(x["threads"]), f"{x['gattn_tg']['median_ms']:,.0f}", *times]

    named = {"sdpa": "SDPA, bias in memory", "flex": "FlexAttention", "folded": "SDPA, folded"}
    rows = sorted(lines, key=lambda x: (x["threads"], x["pass"], int(x["case"].split()[2][1:])))
    return markdown(["n", "pass", "threads", "gattn_tg ms", *(named.get(p, p) for p in peers)], map(row, rows))


def gemm() -> str:
    return _products("float32")


def gemm_bfloat16() -> str:
    return _products("bfloat16")


def _products(precision: str) -> str:
    lines = newest("gemm", "case", "product", "threads", "precision")
    lines = [x for x in lines if x.get("precision", "float32") == precision]
    lines.sort(key=lambda x: (x["threads"], [int(size) for size in x["case"].split("x")]))
    cases: dict[tuple[str, int], dict[str, Line]] = {}
    for x in lines:
        cases.setdefault((x["case"], x["threads"]), {})[x["product"]] = x
    products = ("forward", "dgrad", "wgrad")
    rows = [[case, str(threads), *(f"{at[p]['gflops']['gattn_tg']:.0f} ({at[p]['ratio']:.2f})" if p in at else "-"
                                   for p in products)] for (case, threads), at in cases.items()]
    return markdown(["m x n x k", "threads", *(f"{p} GFLOP/s" for p in products)], rows)


def memory() -> str:
    lines = newest("memory", "case", "pass", "who")
    rows = [[x["case"].split()[2][1:], x["case"].split()[1][1:], x["pass"], x["who"], f"{x['extra_MB']:,.0f}",
             f"{x['seconds']:.1f}"] for x in lines]
    return markdown(["n", "heads", "pass", "who", "extra MB", "seconds"], rows)


def train_step() -> str:
    shown = {"layers": 0, "width": 0, "length": 0, "batch": 0, "motif": "", "threads": 0, "precision": "float32",
             "compiled": False}
    lines = newest("train_step", "case", "vectors")
    latest = {(vectors(x), *(x["case"].get(name, value) for name, value in shown.items())): x for x in lines}
    rows = [[cpu, f"{layers} x {width}", str(length), str(batch), motif, str(threads), precision,
             "compiled" if compiled else "eager", f"{x['gattn_tg']['median_ms']:,.0f}",
             f"{x['peer']['median_ms']:,.0f}", f"{x['ratio']:.2f}"]
            for (cpu, layers, width, length, batch, motif, threads, precision, compiled), x in sorted(latest.items())]
    head = ["vectors", "layers x width", "n", "batch", "bias", "threads", "precision", "PyTorch", "gattn_tg ms",
            "PyTorch ms", "ratio"]
    return markdown(head, rows)


def gradcheck() -> str:
    kinds: dict[str, dict[str, Line]] = {}
    for x in newest("gradcheck", "kind", "comparison"):
        kinds.setdefault(x["kind"], {})[x["comparison"]] = x
    names = list(dict.fromkeys(name for at in kinds.values() for name in at))
    rows = [[kind, *(f"{max(at[n]['max_relative_error'].values()):.0e}" if n in at else "-" for n in names)]
            for kind, at in kinds.items()]
    return markdown(["bias", *names], rows)


def training() -> str:
    rows = [[x["config"], f"{x['test']['auc']:.3f}", f"{x['bar']:.3f}" if x["bar"] else "-",
             f"{x['test']['accuracy']:.3f}", f"{x['minutes']:.1f}"] for x in newest("training", "config")]
    return markdown(["configuration", "test AUC", "4-mer ridge AUC", "test accuracy", "minutes, all of it"], rows)


def throughput() -> str:
    lines = newest("throughput", "kind", "preset", "n", "batch", "threads")
    rows = [[x["kind"], x["preset"], f"{x['parameters']:,}", f"{x['batch']} x {x['n']:,}", str(x["threads"]),
             f"{x['tokens_per_s']:,}", f"{x['peer_tokens_per_s']:,}", f"{x['ratio']:.2f}"] for x in lines]
    return markdown(["model", "preset", "parameters", "batch x bases", "threads", "gattn_tg bases/s",
                     "PyTorch bases/s", "ratio"], rows)


def imports() -> str:
    lines = newest("imports", "model", "threads")
    rows = [[x["model"], f"{x['parameters']:,}", f"{x['batch']} x {x['tokens']:,}", str(x["threads"]),
             *(f"{x['times'][side]['median_ms']:,.0f}" if side in x["times"] else "-"
               for side in ("ours", "eager", "compiled")), f"{x['ratio']:.2f}",
             *(f"{x['memory_mib'][side]:,.0f}" for side in ("ours", "eager"))] for x in lines]  # fmt: skip
    return markdown(["model", "parameters", "batch x tokens", "threads", "gattn_tg ms", "PyTorch ms",
                     "PyTorch compiled ms", "ratio", "gattn_tg MiB", "PyTorch MiB"], rows)


def relative() -> str:
    rows = [[f"{x['n']:,}", x["pass"], str(x["threads"]), f"{x['gattn_tg']['median_ms']:,.0f}",
             *(f"{x[who]['median_ms']:,.0f} ({x['ratio'][who]:.2f})" for who in ("eager", "sdpa")),
             *(f"{x['extra_MB'][who]:,.0f}" for who in ("gattn_tg", "eager", "sdpa"))]
            for x in newest("relative", "n", "pass", "threads")]  # fmt: skip
    return markdown(["n", "pass", "threads", "gattn_tg ms", "PyTorch ms", "SDPA ms", "gattn_tg MB", "PyTorch MB",
                     "SDPA MB"], rows)


def finetune() -> str:
    """A row for each way of learning: means over seeds, and the time of a run where it was kept."""
    lines = newest("finetune", "way", "table", "seed", "encoder_steps")
    cells: dict[tuple[int, str, str], list[Line]] = {}
    for x in lines:
        cells.setdefault((x["encoder_steps"], x["way"], x["table"]), []).append(x)
    rows = []
    for (steps, way, table), found in sorted(cells.items()):
        aucs, seconds = [x["test_auc"] for x in found], [x["seconds"] for x in found if x["seconds"] is not None]
        rows.append([way, f"{steps:,}" if steps else "", table, str(len(found)), f"{np.mean(aucs):.3f}",
                     f"{min(aucs):.3f} to {max(aucs):.3f}", f"{np.median(seconds):,.0f}" if seconds else "-",
                     f"{np.median([x['memory_mib'] for x in found]):,.0f}"])
    return markdown(["what learns", "steps of the encoder", "motif table", "seeds", "test AUC", "range", "seconds",
                     "MiB"], rows)


def exports() -> str:
    rows = [[x["model"], f"{x['parameters']:,}", f"{x['rows']} x {x['width']:,}", x["target"],
             f"{x['bytes'] / 1e3:,.0f}", f"{x['export_s']:.1f}", f"{x['start_s']:.2f}",
             f"{x['times']['target']['median_ms']:,.0f}", f"{x['times']['native']['median_ms']:,.0f}",
             f"{x['ratio']:.2f}", f"{x['difference']:.0e}"]
            for x in newest("export", "model", "target")]  # fmt: skip
    return markdown(["model", "parameters", "rows x bases", "target", "kB", "export s", "start s", "ms", "native ms",
                     "ratio", "difference"], rows)


def study_bias() -> str:
    def row(r: Line) -> list[str]:
        seen = f"{r['examples']:,.0f}" if math.isfinite(r["examples"]) else "never"
        return [r["set"], f"{r['fraction']:.0%}", r["design"], str(r["seeds"]), f"{r['mean']:.4f} ({r['sd']:.4f})",
                "" if r["design"] == PLAIN else f"{r['gain']:+.4f} ({r['gain_sd']:.4f}) ± {r['within']:.4f}",
                "" if r["design"] == PLAIN else f"{r['way']:+.4f} ± {r['way_within']:.4f}",
                f"{seen} to {r['target']:.3f}"]

    head = ["set", "of the data", "design", "seeds", "test AUC (sd)", "gain over none (sd) ± 95 %", "on the way ± 95 %",
            "examples to a validation AUC"]
    return markdown(head, map(row, study_rows()))


def study_words() -> str:
    """Per set, share and design: means over seeds."""
    cells: dict[tuple[str, float, str], list[Line]] = {}
    for x in newest("study_words", "set", "fraction", "design", "seed"):
        cells.setdefault((x["set"], x["fraction"], x["design"]), []).append(x)
    rows = []
    for (name, fraction, design), lines in sorted(cells.items(), key=lambda cell: (cell[0][0], -cell[0][1])):
        best = np.array([max(value for _, value in x["curve"]) for x in lines])
        test = np.array([x["test_auc"] for x in lines])
        both = [x["test_auc_both"] for x in lines if "test_auc_both" in x]
        told = f"{test.mean():.4f}" + (f" ({test.std(ddof=1):.4f})" if len(lines) > 1 else "")
        rows.append([name, f"{fraction:.0%}", design, str(len(lines)), f"{best.mean():.4f}", told,
                     f"{np.mean(both):.4f}" if both else ""])
    head = ["set", "of the data", "design", "seeds", "validation AUC", "test AUC (sd)", "test AUC, both strands"]
    return markdown(head, rows)


def pretraining() -> str:
    """Per set: means over seeds of both beginnings, and of the difference at equal seeds."""
    cells = {(x["set"], x["fraction"], x["seed"], x["beginning"]): x["test_auc"]
             for x in newest("pretraining", "set", "fraction", "seed", "beginning")}  # fmt: skip
    rows = []
    for name, fraction in sorted({key[:2] for key in cells}):
        seeds = sorted(k[2] for k in cells if k[:2] == (name, fraction) and k[3] == "pretrained")
        pairs = [(cells[name, fraction, s, "scratch"], cells[name, fraction, s, "pretrained"]) for s in seeds]
        if len(pairs) < LEAST_SEEDS:
            continue
        first, then = np.array(pairs).T
        gain = then - first
        rows.append([name, f"{fraction:.0%}", str(len(seeds)), f"{first.mean():.4f}", f"{then.mean():.4f}",
                     f"{gain.mean():+.4f} ({gain.std(ddof=1):.4f}) ± {within(gain):.4f}"])
    return markdown(["set", "of the data", "seeds", "from scratch, test AUC", "from the encoder, test AUC",
                     "gain (sd) ± 95 %"], rows)


def opencl() -> str:
    rows = [[x["case"], x["pass"], *(f"{x[who]['median_ms']:.0f}" for who in ("simt", "lazy")), f"{x['ratio']:.1f}"]
            for x in newest("opencl", "case", "pass")]
    return markdown(["case", "pass", "simt ms", "lazy ms", "ratio"], rows)


def unrolling() -> str:
    rows = [[x["kernel"], f"{x['elements']:,}", *(f"{x['lowering_s'][who]:.2f}" for who in ("theirs", "ours")),
             *(f"{x[who]['median_ms']:.2f}" for who in ("theirs", "ours")), f"{x['ratio']:.2f}"]
            for x in newest("unrolling", "kernel", "elements")]
    return markdown(["kernel", "elements", "lowered in s, tinygrad", "ours", "run in ms, tinygrad", "ours",
                     "ratio"], rows)


def recompute() -> str:
    rows = [[str(x["layers"]), f"{x['batch']} x {x['length']:,}", f"{x['kept_mib']:.0f}", f"{x['again_mib']:.0f}",
             f"{x['again_mib'] / x['kept_mib']:.2f}", f"{x['kept_ms']:.0f}", f"{x['again_ms']:.0f}",
             "yes" if x["same_bits"] else "no"] for x in newest("recompute", "layers", "batch", "length")]
    return markdown(["layers", "batch x bases", "kept, MiB", "again, MiB", "ratio", "kept, ms", "again, ms",
                     "same weights"], rows)


def commits() -> str:
    rows = [[x["case"], str(x["threads"]), f"{x['old_ms']:.1f}", f"{x['new_ms']:.1f}", f"{x['ratio']:.2f}"]
            for x in newest("commits", "case", "threads")]
    return markdown(["case", "threads", "before ms", "after ms", "ratio"], rows)


def decode() -> str:
    rows = [[x["case"], str(x["threads"]), f"{x['gattn_tg']['median_ms']:.1f}", f"{x['sdpa']['median_ms']:.1f}",
             f"{x['ratio']:.2f}"] for x in newest("decode", "case", "threads")]
    return markdown(["case", "threads", "gattn_tg ms", "SDPA ms", "ratio"], rows)


def convolution() -> str:
    rows = [[x["case"].replace(",", " x "), str(x["threads"]),
             *(f"{x[part]['median_ms']:.1f} ({x[f'ratio_{part}']:.2f})" for part in ("forward", "both"))]
            for x in newest("convolution", "case", "threads")]
    return markdown(["batch x bases x in x out x kernel", "threads", "forward ms", "forward + backward ms"], rows)


def cold() -> str:
    rows = [[x["cache"], f"{x['first_step']:.1f}", f"{x['first_prediction']:.1f}"] for x in newest("cold", "cache")]
    return markdown(["kernel cache", "first training step, s", "first prediction, s"], rows)


def language() -> str:
    """Bits per base of the newest run, beside the Markov models that its line holds."""
    x = next(line for line in reversed(newest("language", "part", "commit")) if "gpt" in line)
    gpt, markov = x["gpt"], x["markov"]
    shown = {"order 8, plain, 1 strand (the bar)": markov["order 8, 1 strand"], "order 8, plain, 2 strands":
             markov["order 8, 2 strand"], f"best of all, {x['best_markov'][0]}": x["best_markov"][1]}
    rows = [[f"Markov, {name}", f"{bits:.4f}", "", "", ""] for name, bits in shown.items()]
    genomes = ("E. coli", "yeast", "human")
    minutes = x["seconds"] / 60
    rows.append([f"GenomicGPT tiny, {minutes:.0f} minutes", *(f"{gpt[name]:.4f}" for name in ("all", *genomes))])
    return markdown(["model", "bits per base, all", *genomes], rows)


def tracks() -> str:
    found = newest("tracks", "seed")[-1]
    assays = list(found["pearson"]["model"])
    names = {"model": "TrackModel tiny", "gc_cpg_bin": "GC + CpG of the bin", "gc_cpg_1kb": "GC + CpG within 1 kb",
             "gc_cpg_16kb": "GC + CpG within 16 kb"}
    kinds = {"pearson": "counts", "pearson_log1p": "log(1 + counts)"}
    rows = [[names[who], what, *(f"{r[assay]:.3f}" for assay in assays)]
            for key, what in kinds.items() for who, r in found[key].items()]
    return markdown(["model", "Pearson r of", *assays], rows)


def methylation() -> str:
    lines = newest("methylation", "fold")
    rows = [[who, *(f"{x['auc'][who]:.3f} ({x['auc_without_isolated'][who]:.3f})" for x in lines)]
            for who in lines[0]["auc"]] if lines else []
    folds = ("all" if x["fold"] == "all" else f"fold {x['fold']}" for x in lines)
    return markdown(["AUC (without isolated sites)", *folds], rows)


def methylation_sites() -> str:
    """The newest run: each score within every fold, and all folds on one scale."""
    lines = lines_of("methylation_sites")[-1:]
    rows = []
    for x in lines:
        all_sites, kept = x["all"], x["without_isolated"]
        for who in all_sites["pooled"]:
            told = [f"{a:.3f} ({b:.3f})" for a, b in zip(all_sites["each"][who], kept["each"][who], strict=True)]
            told += [f"{all_sites[key][who]:.3f} ({kept[key][who]:.3f})" for key in ("within", "pairs", "pooled")]
            rows.append([who, *told])
        for who in all_sites["pooled_less"]:
            ends = [all_sites[f"{key}_less"][who] for key in ("within", "pairs", "pooled")]
            rows.append([f"model less {who}, 95 %", *[""] * len(x["folds"]),
                         *(f"{low:+.3f} to {high:+.3f}" for low, high in ends)])
    folds = (f"fold {fold}" for x in lines for fold in x["folds"])
    return markdown(["AUC (without isolated sites)", *folds, "mean within folds", "pairs of one fold", "pooled"], rows)


def methylation_reads() -> str:
    header = ["cut by", "score", "AUC", "AUC within folds", *(f"error at share {s} (interval holds it)" for s in MIXED)]
    rows = [[f"{x['by']}, {x['folds']} folds, {len(x['seeds'])} seeds", who, f"{x['auc'][who]:.3f}",
             f"{x['auc_within'][who]:.3f}",
             *(f"{x['mixtures'][who][s]['mae']:.3f} ({x['mixtures'][who][s]['held']:.0%})" for s in MIXED)]
            for x in newest("methylation_reads", "by") for who in x["auc"]]  # fmt: skip
    return markdown(header, rows)


def attribution() -> str:
    lines = newest("attribution", "weights", "method", "seed")
    rows = [[x["method"], x["weights"], f"{x['auprc']:.3f}", f"{x['auprc_informative']:.3f}",
             f"{x['share_planted']:.2f}", f"{x['explained'] / x['seconds']:.1f}"] for x in lines]  # fmt: skip
    head = ["method", "weights", "AUPRC of planted bases", "of those that tell half a bit", "chance", "sequences/s"]
    return markdown(head, rows)


TABLES: dict[str, Callable[[], str]] = {
    f.__name__: f for f in (attention, attention_bfloat16, gemm, gemm_bfloat16, memory, train_step,
                            gradcheck, training, throughput, study_bias, opencl,
                            decode, convolution, cold, language, tracks, methylation, methylation_sites,
                            methylation_reads, pretraining, study_words, study_apart, attribution, discover, mpra,
                            imports, relative, finetune, aligned, recovery, planted, annotation, grammar, accessibility,
                            exports, unrolling, commits, recompute, inference, precision, roofline, answers, long,
                            context, positions, anchors, soft, compilers, tiles)
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a table is out of date")
    check = parser.parse_args().check
    is_old = False
    for page in (p for p in PAGES if p.exists()):
        old = page.read_text(encoding="utf-8")
        new = BLOCK.sub(lambda m: m[1] + TABLES[m[2]]() + m[3], old)
        is_old |= new != old
        if not check:
            page.write_text(new, encoding="utf-8")
    return int(check and is_old)


if __name__ == "__main__":
    sys.exit(main())
