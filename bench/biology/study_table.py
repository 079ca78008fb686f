"""The tables of study_bias.py and its like from their lines: means and spreads over seeds, gains."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.record import lines_of

PLAIN = "none"  # the design that all others are compared with
LEAST_SEEDS = 3
# Student's t at 97.5 % for 2, 3, ... degrees of freedom: half of a 95 % interval in standard errors of the mean
STUDENT = (4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def target(of_plain: Iterable[dict[str, Any]]) -> float:
    """The validation AUC to reach: what plain attention reached in the end with every seed, rounded down to .005."""
    return math.floor(min(x["curve"][-1][1] for x in of_plain) * 200) / 200


def reached(curve: list[tuple[int, float]], auc: float) -> float:
    """Examples seen when the validation AUC first was at least `auc`; infinite when it never was."""
    return next((seen for seen, value in curve if value >= auc), math.inf)


def way(curve: list[tuple[int, float]]) -> float:
    """Mean validation AUC while training: how fast a design learns, at every target at once."""
    return float(np.mean([value for _, value in curve]))


def within(gains: np.ndarray) -> float:
    """Half of the 95 % interval of a mean difference at equal seeds; nan for fewer than three or more than ten."""
    at = len(gains) - LEAST_SEEDS
    if not 0 <= at < len(STUDENT):
        return math.nan
    return float(STUDENT[at] * gains.std(ddof=1) / math.sqrt(len(gains)))


def rows(bench: str = "study_bias") -> list[dict[str, Any]]:
    """One row per set, fraction and design with at least three seeds: mean and spread of the test AUC, the mean of the
    differences from plain attention at equal seeds (of the test AUC, and of the mean validation AUC on the way), and
    the median number of examples to the fixed validation AUC."""
    cells: dict[tuple[str, float], dict[str, dict[int, dict[str, Any]]]] = defaultdict(lambda: defaultdict(dict))
    for x in lines_of(bench):
        cells[x["set"], x["fraction"]][x["design"]][x["seed"]] = x
    found = []
    for name, fraction in sorted(cells, key=lambda key: (key[0], -key[1])):
        of_design = cells[name, fraction]
        plain = of_design.get(PLAIN, {})
        if len(plain) < LEAST_SEEDS:
            continue
        auc = target(plain.values())
        for design, runs in of_design.items():
            if len(runs) < LEAST_SEEDS:
                continue
            tests = np.array([x["test_auc"] for x in runs.values()])
            both = sorted(set(runs) & set(plain))
            gains = np.array([runs[s]["test_auc"] - plain[s]["test_auc"] for s in both])
            on_the_way = np.array([way(runs[s]["curve"]) - way(plain[s]["curve"]) for s in both])
            steps = [reached(x["curve"], auc) for x in runs.values()]
            found.append({"set": name, "fraction": fraction, "design": design, "seeds": len(runs),
                          "mean": tests.mean(), "sd": tests.std(ddof=1), "gain": gains.mean(),
                          "gain_sd": gains.std(ddof=1) if len(gains) > 1 else math.nan, "within": within(gains),
                          "way": on_the_way.mean(), "way_within": within(on_the_way),
                          "target": auc,
                          "examples": float(np.median(steps))})
    return found


def show(bench: str = "study_bias") -> None:
    """Print the tables."""
    head = (f"{'set':17} {'share':>5} {'design':16} {'n':>2} {'test AUC (sd)':>16} {'gain (sd) +- 95 %':>26} "
            f"{'on the way +- 95 %':>20} {'examples to':>18}")
    print(head + "\n" + "-" * len(head))
    for r in rows(bench):
        seen = f"{r['examples']:,.0f}" if math.isfinite(r["examples"]) else "never"
        print(f"{r['set']:17} {r['fraction']:5g} {r['design']:16} {r['seeds']:2} {r['mean']:8.4f} ({r['sd']:.4f}) "
              f"{r['gain']:+9.4f} ({r['gain_sd']:.4f}) +-{r['within']:.4f} {r['way']:+9.4f} +-{r['way_within']:.4f} "
              f"{seen:>9} to {r['target']:.3f}")
