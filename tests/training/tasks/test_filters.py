"""Motif filters from a configuration: which matrices they begin as, what is usual of them, and filters that stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict
from training import tiny

from gattn_tg.errors import ConfigError
from gattn_tg.io import read_matrices
from gattn_tg.metrics.classes import auc
from gattn_tg.motif.threshold import log_odds, near_threshold, score_threshold
from gattn_tg.nn.evidence import LEAST_SD
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.keep.state import snapshot
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.tasks.filters import telling
from gattn_tg.training.tasks.registry import task_of

JASPAR = """>MA1.1 A
A [ 9 0 0 ]
C [ 0 9 1 ]
G [ 0 0 8 ]
T [ 1 1 1 ]
>MA2.1 B
A [ 0 5 9 1 ]
C [ 9 5 0 1 ]
G [ 1 0 0 9 ]
T [ 0 0 1 0 ]
"""
NETWORK = 'width = 8\nn_layers = 1\nn_heads = 2\nstem_kernel = 0\nfilter_width = 5\n'
PLAIN = 'motif = "none"\nembed_motifs = false'


def configured(folder: Path, data: str, model: str = PLAIN, train: str = "") -> Any:
    rng = np.random.default_rng(3)
    rows = ["".join(rng.choice(list("ACGT"), tiny.LENGTH)) + f",{'no' if i % 2 else 'yes'}" for i in range(40)]
    (folder / "t.csv").write_text("\n".join(["sequence,label", *rows]) + "\n")
    (folder / "m.jaspar").write_text(JASPAR)
    text = f'[data]\ntrain = "t.csv"\n{data}\n[model]\n{NETWORK}{model}\n[train]\nbatch_size = 8\nsteps = 3\n{train}\n'
    (folder / "r.toml").write_text(text)
    return task_of(TrainConfig.from_toml(folder / "r.toml"))


def test_filters_begin_as_the_matrices_of_a_file_and_stay_so_at_rate_0(tmp_path: Path) -> None:
    task = configured(tmp_path, 'matrices = "m.jaspar"\nmatrices_pvalue = 0.02', train="filter_rate = 0.0")
    assert task.model.config.filters == 2
    before = snapshot(get_state_dict(task.model))
    for i, matrix in enumerate(read_matrices(tmp_path / "m.jaspar")):
        bits = log_odds(matrix.counts)
        np.testing.assert_allclose(before["filters.weight"][i, :, 1 - i : 1 - i + len(bits)], bits.T, rtol=1e-6)
        assert before["filters.threshold"][i] == pytest.approx(near_threshold(matrix.counts, 0.02))
    assert np.abs(before["evidence.mean"]).max() > 0
    assert before["evidence.sd"].min() >= LEAST_SD
    assert not before["evidence.weight"].any()
    Fit(task, task.settings).run()
    after = snapshot(get_state_dict(task.model))
    still = {"filters.weight", "filters.threshold", "evidence.mean", "evidence.sd"}
    assert {name for name in before if np.array_equal(before[name], after[name])} >= still
    assert after["evidence.weight"].any()


@pytest.mark.parametrize("task", ["classes", "labels", "values"])
def test_pairs_of_the_motifs_that_tell_most_begin_as_a_regression(tmp_path: Path, task: str) -> None:
    """Whether MA2.1 stands behind MA1.1 or before it; a filter of no matrix stands first, and is put behind them."""
    rng, rows = np.random.default_rng(6), []
    for i in range(80):
        is_behind, letters = i % 2, rng.choice(list("AT"), 24)
        first, second = ("ACG", "CCAG") if is_behind else ("CCAG", "ACG")
        at = int(rng.integers(0, 4))
        letters[at : at + len(first)], letters[at + 11 : at + 11 + len(second)] = list(first), list(second)
        rows.append(f"{''.join(letters)},{is_behind if task != 'values' else 7 + 2 * is_behind},1")
    (tmp_path / "t.csv").write_text("\n".join(["sequence,label,two", *rows]) + "\n")
    unlike = JASPAR[: JASPAR.index(">MA2")].replace("MA1.1 A", "MA0.1 Z").replace("9", "0")  # the same bases anywhere
    (tmp_path / "m.jaspar").write_text(unlike + JASPAR)
    columns = "" if task == "classes" else 'label_columns = ["label"]\n'
    (tmp_path / "r.toml").write_text(
        f'[data]\ntrain = "t.csv"\ntask = "{task}"\nmatrices = "m.jaspar"\nmatrices_pvalue = 0.02\n{columns}[model]\n'
        f'{NETWORK}{PLAIN}\nmotif_pairs = 2\n[train]\nbatch_size = 8\nsteps = 3\nfilter_rate = 0.0\n'
    )
    begun = task_of(TrainConfig.from_toml(tmp_path / "r.toml"))
    bases, _, lengths = (Tensor(x) for x in begun.train.inputs)
    pairs = begun.model.pairs(begun.model.pair_numbers(bases, lengths)).numpy()
    is_yes = begun.truth(begun.train).reshape(len(pairs), -1)[:, 0] > (8 if task == "values" else 0)
    assert auc(is_yes, pairs[:, -1]) == 1
    before = snapshot(get_state_dict(begun.model))
    begun.model.calibrate(*begun.train.inputs)  # in the new order, of all 80 sequences
    again = snapshot(get_state_dict(begun.model))
    for name in ("evidence.mean", "evidence.sd"):
        np.testing.assert_allclose(before[name], again[name], rtol=1e-5, atol=1e-6)
    Fit(begun, begun.settings).run()
    after = snapshot(get_state_dict(begun.model))
    assert all(np.array_equal(before[name], after[name]) for name in ("pairs.mean", "pairs.sd"))
    assert not np.array_equal(before["pairs.weight"], after["pairs.weight"])


def test_of_motifs_that_say_the_same_one_is_taken() -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((200, 8))  # four motifs, the strongest site and the sum of each
    x[:, 2], x[:, 6] = x[:, 1], x[:, 5]
    y = np.c_[3 * x[:, 1] + x[:, 5] + x[:, 7], x[:, 0] / 4]
    assert telling(x, y, 3) == [1, 3, 0]
    assert sorted(telling(x, y, 9)) == [0, 1, 2, 3]
    y[:, 1] = np.nan  # a label that none of these sequences has
    assert telling(x, y, 2) == [1, 3]


def test_all_matrices_of_vertebrates_travel_with_the_package(tmp_path: Path) -> None:
    task = configured(tmp_path, 'matrices = "jaspar"')
    assert task.model.filters.weight.shape == (879, 4, 5)
    wanted = r"r.toml: \[model\] ClassifierConfig filters: expected from 0 to 256, or motif .* = false, got 879"
    with pytest.raises(ConfigError, match=wanted):
        configured(tmp_path, 'matrices = "jaspar"', 'motif = "key"')
    with pytest.raises(ConfigError, match=r"matrices: expected an existing file, got 'none.meme'"):
        configured(tmp_path, 'matrices = "none.meme"')


def test_a_threshold_to_begin_with_is_near_the_exact_one() -> None:
    counts = [((0, 9, 1, 0), (1, 1, 8, 0), (5, 1, 0, 4), (3, 3, 2, 2), (0, 0, 0, 10), (1, 7, 1, 1)),
              ((9, 1, 0, 0),) * 7, tuple((i % 3, 7, 2, 1) for i in range(14))]
    for rows in counts:
        for pvalue in (1e-3, 0.02):
            assert near_threshold(rows, pvalue) == pytest.approx(score_threshold(rows, pvalue), abs=0.1)
    assert near_threshold(counts[0][:2], 1e-3) == pytest.approx(log_odds(counts[0][:2]).max(1).sum(), abs=0.1)


@pytest.mark.parametrize("named", ["classes", "three classes", "labels", "values"])
def test_a_linear_model_of_motif_counts_begins_as_a_regression(tmp_path: Path, named: str) -> None:
    """What sets the answers apart, CpGs, is known before the first step; a row whose answer is missing is left out."""
    rng, rows = np.random.default_rng(5), []
    for i in range(60):
        has = i % 3
        at, letters = 3 * has, rng.choice(list("AT"), tiny.LENGTH)
        letters[:at] = list("CGA" * has)
        answer = {"classes": "yes" if has else "no", "three classes": "abc"[has], "labels": f"{int(has > 0)},{i % 2}",
                  "values": f"{10 + 2 * has},{'' if i < 5 else 3 - has}"}[named]  # fmt: skip
        rows.append(f"{''.join(letters)},{answer}")
    header = "sequence,one,two" if "," in rows[0][tiny.LENGTH + 1 :] else "sequence,label"
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]) + "\n")
    task = "classes" if "classes" in named else named
    columns = '' if task == "classes" else 'label_columns = ["one", "two"]\n'
    (tmp_path / "r.toml").write_text(
        f'[data]\ntrain = "t.csv"\ntask = "{task}"\n{columns}[model]\nwidth = 8\nn_layers = 1\nn_heads = 2\n'
        "motif_counts = true\n[train]\nbatch_size = 8\nsteps = 3\n"
    )
    begun = task_of(TrainConfig.from_toml(tmp_path / "r.toml"))
    inputs = [Tensor(x) for x in begun.train.inputs]
    _, linear = (x.numpy() for x in begun.model.parts(*inputs).values())
    truth = begun.truth(begun.train)
    if task == "classes":
        assert (linear.argmax(1) == truth).mean() == 1
    elif task == "labels":
        assert auc(truth[:, 0] > 0, linear[:, 0]) == 1
    else:
        learnt = begun.readout.learnt(truth)
        known = ~np.isnan(learnt)
        assert np.corrcoef(linear[known[:, 1], 1], learnt[known[:, 1], 1])[0, 1] > 0.98
        assert np.abs(linear[:, 0] - learnt[:, 0]).max() < 0.2
