"""The tables of aligned.py, recovery.py and grammar.py from their lines."""

from __future__ import annotations

import math

import numpy as np

from bench.biology.study_table import reached
from bench.tables import Line, markdown, newest


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
