"""Tables of long sequences: time and memory, what far bases add, and positions beyond those of training."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np

from bench.tables import markdown, newest


def long() -> str:
    """Of the presets `long`, and of one layer of attention beside PyTorch's."""
    rows = [[x["model"], x["pass"], f"{x['length']:,}", *([x["failed"], "", "", ""] if "failed" in x else [
             f"{x['seconds']:.2f}", f"{x['first_s']:.1f}", f"{x['peak_MB']:,}", str(x["exponent"] or "")])]
            for x in newest("long", "model", "pass", "length")]  # fmt: skip
    return markdown(["model", "pass", "bases", "s", "first, s", "peak, MiB", "exponent so far"], rows)


def context() -> str:
    """Bits per base by context and anchors, each beside the same context without anchors, seed by seed."""
    bits: dict[tuple[int, int, str], dict[int, float]] = defaultdict(dict)
    for x in newest("context", "width", "context", "anchors", "seed"):
        bits[x["width"], x["context"], x["anchors"]][x["seed"]] = x["bits_per_base"]
    rows = []
    for (width, reach, name), found in sorted(bits.items()):
        none = bits.get((width, reach, "none"), {})
        gains = [none[seed] - value for seed, value in found.items() if seed in none and name != "none"]
        rows.append([f"{width:,}", f"{reach:,}", name, *_mean_and_all(list(found.values())),
                     f"{np.mean(gains):+.4f} ({', '.join(f'{gain:+.4f}' for gain in gains)})" if gains else ""])
    return markdown(["windows, bases", "context", "anchors", "bits per base", "each seed", "below none"], rows)


def positions() -> str:
    """Bits per base by position, means over seeds."""
    found = defaultdict(list)
    for x in newest("positions", "way", "seed", "trained", "read"):
        found[x["trained"], x["read"], x["way"]].append(x)
    if not found:
        return markdown(["looks back on"], [])
    edges = next(iter(found.values()))[0]["edges"]
    head = [f"{a // 1024}-{z // 1024} kb" for a, z in pairwise(edges)]
    rows = [[way, str(len(lines)), *(f"{x:.4f}" for x in np.mean([x["bits_per_base"] for x in lines], axis=0)),
             ", ".join(f"{x['beyond']:.4f}" for x in lines)] for (_, _, way), lines in found.items()]
    return markdown(["looks back on", "seeds", *head, "all beyond training, each seed"], rows)


def _mean_and_all(values: list[float]) -> list[str]:
    return [f"{np.mean(values):.4f}", ", ".join(f"{value:.4f}" for value in values)]
