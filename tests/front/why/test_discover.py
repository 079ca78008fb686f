"""What tells two groups apart: a word that a model counts is found, shuffled labels find nothing, and the folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from front.why.small import classifier
from tinygrad import Tensor

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import UnsupportedError
from gattn_tg.explain.evidence import agreed, of_effects, of_labels
from gattn_tg.explain.interventions.changed import places
from gattn_tg.explain.interventions.named import all_named
from gattn_tg.front.attention import motif_excess
from gattn_tg.metrics.chance import difference, mean, p_of_labels, p_of_signs, q_values
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq import N, decode, encode

VOCABULARY = MotifVocabulary.default()
RNG = np.random.default_rng(8)
BASES = RNG.integers(0, 4, (160, 100)).astype(np.uint8)
BASES[:30, 40:48] = encode("TATAAAAG")  # more frequent among the first 80
BASES[80:86, 40:48] = encode("TATAAAAG")


def test_shuffled_labels_find_nothing_and_true_ones_find_the_word() -> None:
    """20 shuffles of the labels, with insertions that are all strong: the false discovery rate stays at 0.05."""
    motifs = all_named(VOCABULARY)
    hits = np.stack([np.bincount(places(motif, BASES).rows, minlength=len(BASES)) for motif in motifs], axis=1)
    positive = np.arange(len(BASES)) < 80

    def found(labels: np.ndarray) -> list[str]:
        tested = of_labels(hits.astype(float), labels)
        strong = of_effects([np.sign(value) + RNG.random(32) * 0.1 for value in tested.value])
        return [motif.name for motif, is_found in zip(motifs, agreed(tested, strong), strict=True) if is_found]

    assert found(positive) == ["tata_box"]
    false = [len(found(np.random.default_rng(k).permutation(positive))) > 0 for k in range(20)]
    assert np.mean(false) <= 0.05


def test_a_motif_that_the_model_does_not_use_is_not_found() -> None:
    tested = of_labels(np.where(np.arange(80) < 40, 1.0, 0.0)[:, None] + RNG.random((80, 1)), np.arange(80) < 40)
    assert tested.q[0] < 0.001
    for effects in (RNG.standard_normal(64), -1 + 0.1 * RNG.standard_normal(64), np.zeros(0)):
        assert not agreed(tested, of_effects([effects]))[0]
    assert agreed(tested, of_effects([1 + 0.1 * RNG.standard_normal(64)]))[0]


def test_chances_are_those_of_formulas() -> None:
    """p-values are uniform where there is nothing, intervals hold the mean, q is that of Benjamini and Hochberg."""
    values = np.random.default_rng(1).standard_normal((40, 2000))
    for p in (p_of_labels(values, np.arange(40) < 15, n=500), p_of_signs(values, n=500)):
        for level in (0.05, 0.5):
            assert abs((p <= level).mean() - level) < 4 * np.sqrt(level * (1 - level) / 2000)
    for found in (mean(values), difference(values[:20], values[20:])):
        covered = ((found.low <= 0) & (found.high >= 0)).mean()
        assert 0.9 < covered < 0.97  # percentile intervals of 20 to 40 values are a little narrow
    p = np.array([0.01, np.nan, 0.02, 0.03, 0.9])
    np.testing.assert_allclose(q_values(p), [0.04, np.nan, 0.04, 0.04, 0.9])
    assert np.isnan(mean(np.zeros((0, 2)))).all()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discover")
    model = classifier()
    checkpoint.save(model, folder / "2", readout=ClassReadout(labels=("no", "<i>yes")), vocabulary=VOCABULARY)
    for name, rows in (("pos", BASES[:8, 30:62]), ("neg", BASES[80:88, 30:62])):
        (folder / f"{name}.fa").write_text("".join(f">{i}\n{decode(row)}\n" for i, row in enumerate(rows)))
    return folder


def test_the_command_fills_a_folder(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All kinds of evidence; names are text; groups that share a sequence are refused."""
    out = tmp_path / "found"
    groups = [str(home / "pos.fa"), str(home / "neg.fa")]
    options = ["--batch-size", "16", "--backgrounds", "4", "--shuffles", "1"]
    assert main(["discover", str(home / "2"), *groups, *options, "-o", str(out)]) == 0
    told = capsys.readouterr()
    assert "of 10 motifs found in 8 positives against 8 negatives, 1 checkpoints, by gradient ->" in told.out
    assert "The sequences must be ones that no model has learnt from" in told.err
    assert sorted(p.name for p in out.iterdir()) == ["index.html", "motifs.tsv", "positions.tsv"]
    rows = {line.split("\t")[0]: line.split("\t") for line in (out / "motifs.tsv").read_text().splitlines()}
    assert rows["tata_box"][2:4] == ["1.0", "0.75"]  # shares of both groups that have it
    assert rows["tata_box"][-1] in ("0/1", "1/1")
    assert all(rows["tata_box"])  # hits, insertion, removal and attention, each with interval, p and q
    page = (out / "index.html").read_text()
    assert "&lt;i&gt;yes" in page
    assert "<i>yes" not in page
    assert "The sequences must be ones that no model has learnt from" in page
    assert len((out / "positions.tsv").read_text().splitlines()) == 31
    assert main(["discover", str(home / "2"), groups[0], groups[0], *options, "-o", str(tmp_path / "no")]) == 2
    assert "expected positives that are not among the negatives, got 8 sequences in both" in capsys.readouterr().err
    assert main(["discover", str(home / "2"), *groups, "-o", str(out)]) == 2
    assert "expected a new folder, got one that exists" in capsys.readouterr().err


def test_a_model_that_counts_words_is_asked_by_mutagenesis(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the shipped design of binding does; gradients that are asked for are refused with what to do."""
    config = ClassifierConfig(n_classes=2, max_length=32, width=16, n_layers=1, n_heads=2, mlp_ratio=1, stem_kernel=3,
                              kmers=2)
    model = SequenceClassifier(config, seed=2)
    checkpoint.save(model, tmp_path / "w", readout=ClassReadout(labels=("no", "yes")), vocabulary=VOCABULARY)
    groups = [str(home / "pos.fa"), str(home / "neg.fa")]
    options = ["--batch-size", "16", "--backgrounds", "4", "--shuffles", "1"]
    assert main(["discover", str(tmp_path / "w"), *groups, *options, "-o", str(tmp_path / "found")]) == 0
    assert "1 checkpoints, by mutagenesis ->" in capsys.readouterr().out
    assert "What bases give was found by mutagenesis" in (tmp_path / "found" / "index.html").read_text()
    asked = ["discover", str(tmp_path / "w"), *groups, *options, "--method", "gradient", "-o", str(tmp_path / "no")]
    assert main(asked) == 2
    assert "expected base ids, which words are counted of, got weights over bases; explain by mutagenesis" in \
        capsys.readouterr().err


def test_a_word_at_one_place_is_found_though_the_other_group_has_it_a_base_before(tmp_path: Path) -> None:
    """As in aligned promoters. The other group's boxes read the same on both strands, and count once all the same."""
    config = ClassifierConfig(n_classes=2, max_length=32, width=16, n_layers=1, n_heads=2, mlp_ratio=1, stem_kernel=3,
                              placed=1)
    model = SequenceClassifier(config, seed=2)
    assert model.placed is not None
    weight = np.zeros(model.placed.weight.shape, np.float32)
    for at, sign in ((12, 4.0), (11, -4.0)):
        weight[at + np.arange(8), encode("TATAAAAG"), 1] += sign
    model.placed.weight.assign(Tensor(weight)).realize()
    checkpoint.save(model, tmp_path / "a", readout=ClassReadout(labels=("no", "yes")), vocabulary=VOCABULARY)
    rows = np.random.default_rng(5).integers(0, 4, (160, 32)).astype(np.uint8)
    rows[:30, 12:20], rows[80:92, 11:19] = encode("TATAAAAG"), encode("TATATATA")
    loaded, texts = gattn_tg.load(tmp_path / "a"), [decode(row) for row in rows]
    for seed in (None, 0):
        order = np.arange(160) if seed is None else np.random.default_rng(seed).permutation(160)
        groups = ([texts[k] for k in some] for some in np.split(order, 2))
        found = loaded.discover(*groups, backgrounds=16, shuffles=2)
        assert found.names == (("tata_box",) if seed is None else ())


@pytest.mark.parametrize(("fields", "has"), [
    ({}, True), ({"kmers": 2}, False), ({"motif": "ordered"}, False), ({"motif": "between"}, False),
    ({"placed": 2}, True), ({"motif": "none"}, True),
])
def test_which_models_have_gradients_of_bases(fields: dict[str, object], has: bool) -> None:
    """What the configuration says is what a call with weights in place of ids does."""
    config = ClassifierConfig.from_dict({"n_classes": 2, "max_length": 8, "width": 8, "n_layers": 1, "n_heads": 1,
                                         **fields})
    assert config.has_base_gradients == has
    bases, motifs = Tensor(np.eye(5, dtype=np.float32)[np.zeros((1, 8), int)]), Tensor.zeros(1, 8, 16).contiguous()
    ask = partial(SequenceClassifier(config), bases, motifs, Tensor(np.array([8], np.int32)))
    if has:
        assert ask().shape == (1, 2)
    else:
        with pytest.raises(UnsupportedError):
            ask()


def test_attention_beyond_the_share_of_bases_is_that_of_each_sequence_alone(home: Path) -> None:
    """Many padded sequences at once, beside one at a time without padding."""
    model = gattn_tg.load(home / "2")
    lengths = np.array([32, 20, 27])
    bases = np.full((3, 32), N, np.uint8)
    for row, n in zip(bases, lengths, strict=True):
        row[:n] = BASES[n, 30 : 30 + n]
    excess = motif_excess(model.asked, bases, lengths, batch_size=2)
    for row, n, found in zip(bases, lengths, excess, strict=True):
        alone = model.motif_attention(row[:n])
        np.testing.assert_allclose(found, alone.share.mean((0, 1)) - alone.frequency, atol=1e-6)
        np.testing.assert_allclose(found.sum(), 0, atol=1e-6)
    assert np.abs(excess).max() > 1e-3
