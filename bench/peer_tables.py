"""Tables of what stands beside other software, beside another precision, or beside what the machine can do."""

from __future__ import annotations

import numpy as np

from bench.biology.study_table import within
from bench.tables import Line, markdown, newest, vectors


def precision() -> str:
    cells: dict[str, dict[str, dict[int, float]]] = {}
    for x in newest("precision", "set", "precision", "seed"):
        cells.setdefault(x["set"], {}).setdefault(x["precision"], {})[x["seed"]] = x["test"]["auc"]
    rows = []
    for name, of in cells.items():
        wide, narrow = (of.get(which, {}) for which in ("float32", "bfloat16"))
        seeds = sorted(wide.keys() & narrow.keys())
        apart = np.array([narrow[s] - wide[s] for s in seeds])
        means = [f"{np.mean([one[s] for s in seeds]):.4f}" if seeds else "" for one in (wide, narrow)]
        told = f"{apart.mean():+.4f} ± {within(apart):.4f}" if seeds else ""
        rows.append([name, str(len(seeds)), *means, told, ", ".join(f"{x:+.4f}" for x in apart)])
    return markdown(["set", "seeds", "test AUC float32", "test AUC bfloat16", "difference ± 95 %", "each seed"], rows)


def roofline() -> str:
    lines = newest("roofline", "kernel", "case", "limit", "threads", "vectors")
    lines.sort(key=lambda x: (vectors(x), x["threads"]))
    rows = [[vectors(x), x["kernel"], x["case"], x["limit"], str(x["threads"]), f"{x['per_s'] / 1e9:,.1f}",
             f"{x['share']:.0%}" if "share" in x else ""] for x in lines]  # fmt: skip
    head = ["vectors", "kernel", "sizes", "ceiling", "threads", "10^9 per second", "share of the ceiling"]
    return markdown(head, rows)


def inference() -> str:
    peers = ("onnx", "compiled", "eager")
    rows = [[vectors(x), x["kind"], x["preset"], x["precision"], f"{x['batch']} x {x['n']:,}", str(x["threads"]),
             f"{x['times']['gattn_tg']['median_ms']:,.1f}",
             *(f"{x['times'][p]['median_ms']:,.1f} ({x['ratio'][p]:.2f})" if p in x["times"] else "wrong"
               for p in peers)]
            for x in newest("inference", "kind", "preset", "precision", "threads", "vectors")]  # fmt: skip
    return markdown(["vectors", "model", "preset", "precision", "batch x bases", "threads", "gattn_tg ms",
                     "ONNX Runtime float32 ms", "PyTorch compiled ms", "PyTorch ms"], rows)


def answers() -> str:
    rows = [[x["what"], x["preset"], "yes" if x["motifs"] else "no", str(x["threads"]), f"{x['per_second']:,.1f}",
             *(f"{x['n'] / x['times'][p]['median_ms'] * 1e3:,.1f}" for p in ("tangermeme", "compiled")),
             f"{x['ratio']:.2f}"] for x in newest("answers", "what", "preset", "motifs", "threads")]  # fmt: skip
    return markdown(["answers", "preset", "motif ids", "threads", "gattn_tg per second", "tangermeme per second",
                     "compiled", "ratio to the faster"], rows)


def anchors() -> str:
    """Beside the same kernels over all keys, and beside PyTorch: how many times longer they take, and memory."""
    peers = ("full", "sdpa", "flex")
    rows = [[x["case"], x["pass"], str(x["threads"]), f"{x['gattn_tg']['median_ms']:,.0f}",
             *(f"{x[who]['median_ms']:,.0f} ({x['ratio'][who]:.2f})" if who in x else "-" for who in peers),
             *(f"{x['extra_MB'][who]:,.0f}" if who in x["extra_MB"] else "-" for who in ("gattn_tg", *peers))]
            for x in newest("anchors", "case", "pass", "threads")]  # fmt: skip
    return markdown(["case", "pass", "threads", "gattn_tg ms", "all keys ms", "SDPA ms", "FlexAttention ms",
                     "gattn_tg MB", "all keys MB", "SDPA MB", "FlexAttention MB"], rows)


def soft() -> str:
    """Strengths of motifs in place of ids: how many times longer attention takes."""
    rows = [[x["case"], x["pass"], str(x["threads"]), f"{x['key']['median_ms']:,.1f}",
             *(f"{x[kind]['median_ms']:,.1f} ({x['ratio'][kind]:.2f})" for kind in ("soft key", "soft pair"))]
            for x in newest("soft", "case", "pass", "threads")]  # fmt: skip
    return markdown(["case", "pass", "threads", "key, one id a base, ms", "soft key ms", "soft pair ms"], rows)


def tiles() -> str:
    """Kernels by the tile that their registers hold, the fastest first; in bold the tile in use."""
    lines = newest("tiles", "bits", "stage", "case", "rows", "lanes", "threads")
    by_case: dict[tuple[int, str, int], list[Line]] = {}
    for x in lines:
        by_case.setdefault((x["bits"], x["case"], x["threads"]), []).append(x)

    def told(x: Line) -> str:
        text = f"{x['rows']} x {x['lanes']} {x['gflops']:.0f}"
        return f"**{text}**" if x["in_use"] else text

    rows = [[case, str(bits), str(n), ", ".join(told(x) for x in sorted(found, key=lambda x: -x["gflops"]))]
            for (bits, case, n), found in by_case.items()]  # fmt: skip
    return markdown(["case", "bits of a register", "threads", "tile and GFLOP/s"], rows)


def compilers() -> str:
    """The same kernels by two C compilers."""
    lines = newest("compilers", "case", "length", "threads")
    names = lines[0]["compilers"] if lines else {"ziglang": "", "clang": ""}
    rows = [[x["case"], str(x["threads"]), f"{x['ziglang']:,.1f}", f"{x['clang']:,.1f}", f"{x['ratio']:.2f}"]
            for x in lines]  # fmt: skip
    return markdown(["case", "threads", f"ziglang ({names['ziglang']}), ms", f"{names['clang']}, ms", "ratio"], rows)
