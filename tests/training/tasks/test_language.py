"""Language models learn from genomes: what they read never tells the answer, and they get better at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError
from gattn_tg.models.captured.inputs import to_tensors
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.step import Step
from gattn_tg.training.tasks.language import Language
from gattn_tg.training.tasks.mask import Mask

TOML = """
[model]
kind = "{kind}"
width = 16
n_layers = 1
n_heads = 2
{model}
[data]
genomes = ["g.fa"]
width = 32
valid_every = 4
block_bp = 200
n_valid = 16
{data}
[train]
batch_size = 8
learning_rate = 1e-2
{train}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome that repeats a word of 12 bases with some errors: easy to learn."""
    folder, rng = tmp_path_factory.mktemp("genome"), np.random.default_rng(0)
    bases = np.tile([0, 3, 0, 3, 0, 0, 0, 2, 1, 2, 1, 3], 300)
    bases = np.where(rng.random(len(bases)) < 0.05, rng.integers(0, 4, len(bases)), bases)
    (folder / "g.fa").write_text(">g\n" + "".join("ACGT"[b] for b in bases) + "\n")
    return folder


def config(home: Path, kind: str, model: str = "", data: str = "", train: str = "") -> TrainConfig:
    path = home / "c.toml"
    path.write_text(TOML.format(kind=kind, model=model, data=data, train=train))
    return TrainConfig.from_toml(path)


def train(task: Language | Mask, steps: int) -> list[float]:
    step = Step(task.loss, get_state_dict(task.model), task.settings)
    with Context(TRAINING=1):
        return [step([to_tensors(task.batch(s, 0, 0, 1))], 1e-2)[0] for s in range(steps)]


@pytest.fixture(scope="module")
def gpt(home: Path) -> Language:
    return Language.from_config(config(home, "GenomicGPT", 'motif = "pair"\nwords = [3]'))


def test_a_changed_base_changes_no_earlier_prediction_of_the_whole_pipeline(gpt: Language) -> None:
    table = gpt.model.blocks[0].attention.motif_bias
    assert table is not None
    table.assign(Tensor(np.random.default_rng(0).standard_normal(table.shape).astype(np.float32))).realize()
    windows = gpt.held_out[:8].copy()
    (before,) = gpt.likelihood(windows)
    for j in (3, 17, 31):
        changed = windows.copy()
        changed[:, j] = (changed[:, j] + 1) % 4
        (after,) = gpt.likelihood(changed)
        # base i is predicted from those before it, so base j can change nothing up to and including j
        np.testing.assert_array_equal(after[:, : j + 1], before[:, : j + 1])
        assert j == 31 or (after[:, j + 1] != before[:, j + 1]).any()
    table.assign(table * 0).realize()


def test_a_gpt_learns_and_is_judged_on_what_it_has_not_seen(gpt: Language) -> None:
    first = gpt.validate()
    assert first["bits_per_base"] == pytest.approx(2.0, abs=0.2)
    assert first["perplexity"] == pytest.approx(2 ** first["bits_per_base"])
    assert first["n"] == 16 * 16
    losses = train(gpt, 60)
    assert losses[-1] < 0.6 * losses[0]
    last = gpt.validate()
    assert last["bits_per_base"] < 1.2
    assert last["accuracy"] > 0.7


@pytest.mark.parametrize("kind", [Language, Mask])
def test_contigs_of_a_test_are_judged_once_and_nothing_else_reads_them(home: Path, kind: type[Any]) -> None:
    name = "GenomicGPT" if kind is Language else "MaskedEncoder"
    task = kind.from_config(config(home, name))
    assert task.test() is None
    letters = (home / "g.fa").read_text().splitlines()[1]
    (home / "two.fa").write_text(f">g\n{letters}\n>h\n{letters[:800]}\n")
    path = home / "two.toml"
    path.write_text(TOML.format(kind=name, model="", data='test_contigs = ["h"]\nn_test = 16', train="").replace(
        "g.fa", "two.fa"))
    tested = kind.from_config(TrainConfig.from_toml(path))
    assert tested.counts == {**task.counts, "test": {"bases": 800}}
    assert tested.validate() == task.validate()  # 18 blocks of g are those of before
    n = tested.test()["n"]
    assert n == 16 * 16 if kind is Language else n > 0
    with pytest.raises(ConfigError, match="no contig of valid_contigs"):
        kind.from_config(config(home, name, data='test_contigs = ["g"]\nvalid_contigs = ["g"]'))


def test_windows_are_a_function_of_step_and_place(home: Path) -> None:
    both = config(home, "GenomicGPT", train="reverse_complement = true\naccumulate = 2")
    task = Language.from_config(both)
    one = task.batch(3, 1, 0, 1)
    assert {name: x.shape for name, x in one.items()} == dict.fromkeys(("bases", "motif_ids", "labels"), (8, 32))
    again = Language.from_config(both).batch(3, 1, 0, 1)
    assert all(np.array_equal(one[name], again[name]) for name in one)
    # two ranks with one micro-batch see what one rank with two sees
    single = Language.from_config(config(home, "GenomicGPT", train="reverse_complement = true"))
    np.testing.assert_array_equal(single.batch(3, 0, 1, 2)["labels"], one["labels"])
    assert task.readout.width == 32
    assert task.fingerprint() == single.fingerprint()
    other = Language.from_config(config(home, "GenomicGPT", data="valid_contigs = []", train="seed = 1"))
    assert (other.batch(3, 1, 0, 1)["labels"] != one["labels"]).any()


@pytest.mark.parametrize("k", [3])
def test_an_encoder_fills_in_and_its_trunk_goes_to_a_classifier(home: Path, k: int) -> None:
    task = Mask.from_config(config(home, "MaskedEncoder", f"k = {k}\nstem_kernel = 5"))
    losses = train(task, 50)
    assert losses[-1] < 0.75 * losses[0]
    metrics = task.validate()
    assert metrics["n"] == 16 * task.held_out[0]["places"].shape[1]
    assert metrics["accuracy"] > (0.5 if k == 1 else 0.3)  # chance is 1 in 4 and 1 in 64
    if k == 1:
        given = get_state_dict(task.model)
        wanted = get_state_dict(SequenceClassifier(ClassifierConfig(
            n_classes=2, width=16, n_layers=1, n_heads=2, stem_kernel=5)))
        shared = {name for name, t in wanted.items() if name in given and given[name].shape == t.shape}
        assert set(wanted) - shared == {"pool.score.weight", "pool.score.bias", "head.weight", "head.bias"}


def test_refusals(home: Path) -> None:
    with pytest.raises(ConfigError, match="n_motifs: expected at least the 16 ids of the vocabulary, got 4"):
        Language.from_config(config(home, "GenomicGPT", "n_motifs = 4"))
    with pytest.raises(ConfigError, match=r"mask_share: expected more than 0 and at most 0\.5, got 0\.9"):
        Mask.from_config(config(home, "MaskedEncoder", data="mask_share = 0.9"))
    with pytest.raises(ConfigError, match="words: expected different lengths from 2 to 10, got"):
        Language.from_config(config(home, "GenomicGPT", "words = [3, 3]"))
    with pytest.raises(ConfigError, match="k: expected a number from 1 to 6, got 7"):
        Mask.from_config(config(home, "MaskedEncoder", "k = 7"))
