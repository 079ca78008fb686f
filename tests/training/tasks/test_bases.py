"""Labelled bases and sites: labels where there is no sequence, or of one kind only, are refused before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import ConfigError, CoordinateError
from gattn_tg.seq import decode
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks.registry import task_of

DATA = 'genome = "g.fa"\nlabels = "sites.tsv"\nlabel_column = "y"\nblock_bp = 128\n'
KINDS = {
    "PerBaseModel": (f"{DATA}window_bp = 64\n", "width = 8\nn_layers = 1\nn_heads = 1\n"),
    "SiteModel": (f"{DATA}n_sites = 8\n", "width = 8\nn_layers = 1\nn_heads = 1\nmlp_ratio = 1\naround_bp = 16\n"
                  "pool_bp = 8\nlocal_width = 4\nstem_kernel = 3\ncomposition_bp = [20]\n"),
}  # fmt: skip


def configured(folder: Path, kind: str, sites: list[tuple[str, int, int]], data: str = "") -> TrainConfig:
    """A run on 2,000 bases of chr1, whose sites are places and labels."""
    (folder / "g.fa").write_text(f">chr1\n{decode(np.random.default_rng(0).integers(0, 4, 2000))}\n")
    rows = "".join(f"{chrom}\t{at}\t{at + 2}\t{label}\n" for chrom, at, label in sites)
    (folder / "sites.tsv").write_text("chrom\tstart\tend\ty\n" + rows)
    table, model = KINDS[kind]
    (folder / "run.toml").write_text(f'[data]\n{table}{data}\n[model]\nkind = "{kind}"\n{model}\n[train]\nsteps = 1\n')
    return TrainConfig.from_toml(folder / "run.toml")


def alternating(last: int = 2000) -> list[tuple[str, int, int]]:
    return [("chr1", at, at // 10 % 2) for at in range(0, last, 10)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("site", [("chr1", 1999, 1), ("chr1", 2100, 0), ("chrM", 5, 1)])
def test_a_label_without_sequence_is_refused_before_training(
    kind: str, site: tuple[str, int, int], tmp_path: Path
) -> None:
    with pytest.raises(CoordinateError, match=f"site {site[0]}:{site[1]}: expected it within a sequence, got 1 of"):
        task_of(configured(tmp_path, kind, [*alternating(), site]))


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_one_kind_are_refused_in_training_and_told_elsewhere(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="different values at the training sites to tell them apart, got 1 at all "):
        task_of(configured(tmp_path, kind, [("chr1", at, 1) for at in range(0, 2000, 10)]))
    (tmp_path / "test.bed").write_text("chr1\t1700\t2000\n")
    sites = [(chrom, at, 0 if at >= 1700 else label) for chrom, at, label in alternating()]
    task = task_of(configured(tmp_path, kind, sites, 'test_regions = "test.bed"\n'))
    assert "test: 0 at every site, so AUC and correlations are not defined for it" in task.warnings


def test_a_fold_beyond_the_last_one_would_repeat_the_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fold: expected from 0 to 3, as there are no more of test_fraction, got 4"):
        task_of(configured(tmp_path, "SiteModel", alternating(), "fold = 4\n"))
