"""Words at their places: against a linear model in float64, in training, and where lengths do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

import gattn_tg
from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.nn.placed import Placed
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks.classify import Classify

N = 12
SHAPE: dict[str, Any] = {"n_classes": 2, "width": 8, "n_layers": 1, "n_heads": 2, "max_length": N, "stem_kernel": 0,
                         "dropout": 0.0, "motif": "none", "embed_motifs": False, "placed": 2}


def features(bases: np.ndarray, k: int) -> np.ndarray:
    """One 1 for each place whose word is known, in (rows, places, words)."""
    found = np.zeros((len(bases), bases.shape[1] - k + 1, 4**k))
    for b, row in enumerate(bases):
        for i in range(found.shape[1]):
            word = row[i : i + k]
            if (word < 4).all():
                found[b, i, int("".join(map(str, word)), 4)] = 1
    return found / np.sqrt(found.shape[1])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_answers_and_gradient_are_those_of_a_linear_model_on_placed_words(k: int) -> None:
    rng = np.random.default_rng(k)
    bases = rng.integers(0, 5, (3, N)).astype(np.uint8)
    layer = Placed(k, N, 2)
    assert not layer(Tensor(bases)).numpy().any()
    layer.weight.replace(Tensor(weight := rng.standard_normal(layer.weight.shape).astype(np.float32)))
    slopes, x = rng.standard_normal((3, 2)).astype(np.float32), features(bases, k)
    answers = layer(Tensor(bases))
    gradient = (answers * Tensor(slopes)).sum().gradient(layer.weight)[0]
    np.testing.assert_allclose(answers.numpy(), np.einsum("bpv,pvo->bo", x, weight), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient.numpy(), np.einsum("bpv,bo->pvo", x, slopes), rtol=1e-5, atol=1e-6)
    weights = Tensor(np.eye(5, dtype=np.float32)[bases])  # in place of ids
    np.testing.assert_array_equal(layer(weights).numpy(), answers.numpy())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose placed pairs are random numbers, on disk."""
    folder = tmp_path_factory.mktemp("placed")
    model = SequenceClassifier(ClassifierConfig.from_dict(SHAPE), seed=1)
    assert model.placed is not None
    model.placed.weight.replace(Tensor(np.random.default_rng(0).standard_normal(model.placed.weight.shape, np.float32)))
    readout = ClassReadout(labels=("no", "yes"), shortest=N)
    checkpoint.save(model, folder / "c", readout=readout, vocabulary=MotifVocabulary.default())
    return folder / "c"


def test_placed_words_reach_answers_variants_and_explanations(home: Path, tmp_path: Path) -> None:
    """What bases give adds up to the difference to the reference, the placed pairs included."""
    model = gattn_tg.load(home)
    one = "ACGTTGCANCGT"
    told = model.explain([one], method="integrated").attributions[0]
    assert told.residual is not None
    assert told.residual < 1e-3
    mutated = model.explain([one], method="mutagenesis").attributions[0]
    assert np.abs(mutated.contributions).max() > 0
    genome = tmp_path / "g.fa"
    genome.write_text(">c\n" + one * 4 + "\n")
    effects = list(model.variants(genome, ["c:1:A>G", "c:24:T>TA"]).rows())
    assert len(effects) == 2  # at the start of the contig, and in the middle


def test_a_contig_as_long_as_the_windows_of_training_stands_as_it_was_learnt(home: Path, tmp_path: Path) -> None:
    """Wherever the variant is: words are seen at the places that they have in the contig."""
    model, one = gattn_tg.load(home), "ACGTTGCATCGT"
    (tmp_path / "g.fa").write_text(f">c\n{one}\n")
    effects = model.variants(tmp_path / "g.fa", ["c:3:G>A", "c:9:TC>T"])
    at = [column.name for column in effects.effects.columns].index("d_yes")
    told = model.predict([one, "ACATTGCATCGT", "ACGTTGCATGTN"]).probabilities.astype(np.float64)
    odds = np.log(told[:, 1] / told[:, 0])
    np.testing.assert_allclose([effect.scores[at] for effect in effects], odds[1:] - odds[0], rtol=1e-4)


@pytest.mark.parametrize("ask", [
    lambda model, path: model.predict(["ACGTACGT"]),
    lambda model, path: model.explain(["ACGTACGT"]),
    lambda model, path: model.marginalize(["ACGTACGT"], "cpg"),
    lambda model, path: model.variants(path, ["c:3:G>A"], window=8),
    lambda model, path: list(model.along(path, width=8)),
])  # fmt: skip
def test_other_lengths_are_refused_wherever_a_model_of_placed_words_is_asked(
    home: Path, tmp_path: Path, ask: Any
) -> None:
    (tmp_path / "g.fa").write_text(">c\n" + "ACGT" * 8 + "\n")
    with pytest.raises((FormatError, ConfigError), match=r"expected .*\b12\b.* bases.*got .*8"):
        ask(gattn_tg.load(home), tmp_path / "g.fa")


def test_a_table_of_sequences_of_several_lengths_is_refused_before_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["".join("ACGT"[i] for i in rng.integers(0, 4, n)) for n in (N, N, N, N - 2)]
    (tmp_path / "t.csv").write_text("sequence,label\n" + "".join(f"{row},{i % 2}\n" for i, row in enumerate(rows)))
    (tmp_path / "c.toml").write_text('[data]\ntrain = "t.csv"\nvalid = "t.csv"\n[model]\nplaced = 1\n'
                                     'width = 8\nn_heads = 2\n')
    with pytest.raises(FormatError, match="placed: expected sequences of 12 bases, all aligned to the same place, got "
                       "one of 10; cut windows of 12 bases around the site, or train with placed = 0"):
        Classify.from_config(TrainConfig.from_toml(tmp_path / "c.toml"))


def test_too_long_words_are_refused() -> None:
    with pytest.raises(ConfigError, match="placed: expected from 0 to 3, got 4"):
        ClassifierConfig.from_dict({**SHAPE, "placed": 4})
