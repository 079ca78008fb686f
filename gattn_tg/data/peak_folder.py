"""The folder that a data set of peaks is kept in: one table for each part, and a summary."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gattn_tg.data.peaks import NEGATIVE, POSITIVE, Example, PeakSet
from gattn_tg.errors import ConfigError
from gattn_tg.escaping import cell
from gattn_tg.io.whole import write_folder
from gattn_tg.seq.codec import encode
from gattn_tg.seq.composition import gc_fraction
from gattn_tg.seq.strand import reverse_complement

COLUMNS = ("sequence", "label", "name")
SUMMARY, CONFIG = "summary.json", "train.toml"
PARTS = ("train", "valid", "test")
MADE = (SUMMARY, CONFIG, *(f"{part}.csv" for part in PARTS))


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that must stay, before any work is done for it.

    Raises:
        ConfigError: something stands there, and it is no earlier data set or `overwrite` was not said.
    """
    if not folder.absolute().parent.is_dir():
        raise ConfigError(f"{folder}: expected a name in an existing folder, got {folder.parent}; make it first")
    if not folder.exists():
        return
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
    if foreign := sorted(held - set(MADE)):
        what = f"one with {foreign[0]!r}" if folder.is_dir() else "a file"
        raise ConfigError(f"{folder}: expected a new folder or an earlier data set, got {what}; choose another")
    if held and not overwrite:
        raise ConfigError(f"{folder}: expected a new folder, got an earlier data set; overwrite it or choose another")


def write_peak_set(folder: Path, found: PeakSet, config: str) -> dict[str, Any]:
    """Write the parts as CSV files, the configuration that learns from them, and the summary, which is returned."""
    told = summary(found)

    def fill(home: Path) -> None:
        for part, examples in found.parts.items():
            with (home / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
                writer.writerows((e.sequence, e.label, cell(e.name)) for e in examples)
        (home / CONFIG).write_text(config, encoding="utf-8")
        (home / SUMMARY).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    write_folder(folder, fill)
    return told


def summary(found: PeakSet) -> dict[str, Any]:
    """Numbers of each part: examples and mean GC by label; what was left out and why; sequences that parts share."""
    parts = {}
    for part in PARTS:
        rows = found.parts.get(part, [])
        parts[part] = {
            name: {"n": len(chosen), "gc": round(float(np.mean([gc_fraction(encode(e.sequence)) for e in chosen])), 4)}
            for name, label in (("positive", POSITIVE), ("negative", NEGATIVE))
            if (chosen := [example for example in rows if example.label == label])
        }
    return {
        "parts": {part: counts for part, counts in parts.items() if counts},
        "left_out": {"positive": dict(found.left_out[POSITIVE]), "negative": dict(found.left_out[NEGATIVE])},
        "in_several_parts": shared(found.parts),
    }


def shared(parts: Mapping[str, list[Example]]) -> int:
    """How many sequences stand in more than one part, as they are or reversed."""
    forms = [{min(e.sequence, reverse_complement(e.sequence)) for e in examples} for examples in parts.values()]
    return sum(map(len, forms)) - len(set().union(*forms))
