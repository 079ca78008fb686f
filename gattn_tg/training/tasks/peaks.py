"""The tables of a classifier, made of the peaks of an assay that [data] names."""

from __future__ import annotations

import numpy as np

from gattn_tg.data.peak_choices import PeakChoices, read_peak_set
from gattn_tg.data.peaks import NEGATIVE, POSITIVE
from gattn_tg.errors import ConfigError
from gattn_tg.io import LabelledTable
from gattn_tg.training.config import TrainConfig


def peak_tables(
    config: TrainConfig, choices: PeakChoices, genome: str, positives: str, seed: int
) -> tuple[dict[str, LabelledTable], tuple[str, ...]]:
    """The parts of a data set of peaks as tables, and what is to be said about them.

    Args:
        config: Where the names of files come from.
        choices: Windows, negatives and parts.
        genome, positives: Names of files.
        seed: Decides the negatives.

    Raises:
        ConfigError: No part to train on.
    """
    path = config.file("positives", positives)
    found = read_peak_set(config.file("genome", genome), path, choices, seed=seed, resolve=config.resolve)
    if "train" not in found.parts:
        raise ConfigError(f"{config.path}: [data]: expected peaks to train on, got all of them in "
                          f"{' and '.join(found.parts)}; name fewer contigs")
    tables = {
        part: LabelledTable(
            tuple(example.sequence.encode("ascii") for example in rows),
            np.array([example.label for example in rows], np.int64), ("0", "1"), path,
            tuple(example.name for example in rows),
        )
        for part, rows in found.parts.items()
    }  # fmt: skip
    left = [f"left out: {n:,} {name}s {reason}" for name, label in (("positive", POSITIVE), ("negative", NEGATIVE))
            for reason, n in found.left_out[label].items()]  # fmt: skip
    return tables, (*found.notes, *left)
