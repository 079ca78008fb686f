"""Counts of words with weights: against words counted one by one, on both strands, and their gradient."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.models.classifier import ClassifierConfig
from gattn_tg.nn.kmers import Kmers
from gattn_tg.ops.words import word_sums
from gattn_tg.seq.alphabet import COMPLEMENT

K, GAPS, N_OUT = 4, 2, 3


def words(row: np.ndarray, k: int, gap: int, merges: bool) -> list[int]:
    """The words of a sequence, with `gap` bases left out in the middle, found one by one."""
    found = []
    for start in range(len(row) - k - gap + 1):
        word = [*row[start : start + k // 2], *row[start + k // 2 + gap : start + k + gap]]
        if 4 in word:
            continue
        forward, backward = ("".join(map(str, w)) for w in (word, [3 - base for base in word[::-1]]))
        found.append(int(min(forward, backward) if merges else forward, 4))
    return found


def counted(rows: list[np.ndarray], k: int, gaps: int, merges: bool) -> np.ndarray:
    """(b, gaps + 1, 4**k): how often each word is in each sequence, divided by the root of how many there are."""
    counts = np.zeros((len(rows), gaps + 1, 4**k))
    for row, count in zip(rows, counts, strict=True):
        for gap in range(gaps + 1):
            np.add.at(count[gap], words(row, k, gap, merges), 1)
        count /= max(count.sum(), 1) ** 0.5
    return counts


def batch() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Sequences with repeats and N, one too short for a word, and the same padded with bases that do not count."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 4, n) for n in (23, 17, 1, 9)]
    rows[0][8:14], rows[1][[4, 9]], rows[3][:] = 2, 4, 1
    padded = rng.integers(0, 4, (4, 25)).astype(np.uint8)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return rows, padded, np.array([len(row) for row in rows], np.int32)


@pytest.mark.parametrize(("k", "gaps", "merges", "device"), [
    (K, GAPS, True, None), (K, GAPS, True, ("CPU:0", "CPU:1")), (2, 0, False, None)
])
def test_answers_and_gradient_are_those_of_a_linear_model_on_counts(
    k: int, gaps: int, merges: bool, device: tuple[str, str] | None
) -> None:
    rows, padded, lengths = batch()
    layer, rng = Kmers(k, gaps, N_OUT, merges), np.random.default_rng(1)
    layer.weight.replace(Tensor(weight := rng.standard_normal(layer.weight.shape).astype(np.float32)))
    inputs = [Tensor(x) for x in (padded, lengths)]
    if device:
        layer.weight.shard_(device)
        inputs = [x.shard(device, axis=0) for x in inputs]
    out = rng.standard_normal((len(rows), N_OUT)).astype(np.float32)
    slopes = Tensor(out).shard(device, axis=0) if device else Tensor(out)
    answers, counts = layer(*inputs), counted(rows, k, gaps, merges)
    gradient = (answers * slopes).sum().gradient(layer.weight)[0]
    np.testing.assert_allclose(answers.numpy(), np.einsum("bgv,gvo->bo", counts, weight), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient.numpy(), np.einsum("bgv,bo->gvo", counts, out), rtol=1e-5, atol=1e-6)
    assert not answers.numpy()[2].any()


def test_merged_strands_get_equal_answers() -> None:
    rows, padded, lengths = batch()
    layer = Kmers(K, GAPS, N_OUT, merges_strands=True)
    layer.weight.replace(Tensor(np.random.default_rng(1).standard_normal(layer.weight.shape).astype(np.float32)))
    turned = padded.copy()
    for i, row in enumerate(rows):
        turned[i, : len(row)] = COMPLEMENT[row[::-1]]
    here, there = (layer(Tensor(x), Tensor(lengths)).numpy() for x in (padded, turned))
    np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-6)


def test_on_one_cpu_a_weight_that_is_nan_reaches_only_the_sequences_with_its_word() -> None:
    _, padded, lengths = batch()
    layer = Kmers(2, 0, N_OUT)
    weight = np.zeros(layer.weight.shape, np.float32)
    weight[0, int("22", 4)] = np.nan  # GG, which the first sequence has
    weight[0, 0, 0] = np.nan  # AA, the row that stands where there is no word
    layer.weight.replace(Tensor(weight))
    found = np.isnan(layer(Tensor(padded), Tensor(lengths)).numpy())
    assert found[0].all()
    assert not found[2:].any()


@pytest.mark.parametrize(("fields", "text"), [
    ({"kmers": 10}, "kmers: expected 2, 4, 6 or 8 bases, or 0 for none, got 10; change kmers"),
    ({"kmers": 5}, "kmers: expected 2, 4, 6 or 8 bases, or 0 for none, got 5"),
    ({"kmers": 6, "kmer_gaps": -1}, "kmer_gaps: expected from 0 to 512, got -1"),
])
def test_words_that_cannot_be_are_refused(fields: dict[str, int], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        ClassifierConfig.from_dict({"n_classes": 2, **fields})
    with pytest.raises(ConfigError, match="Kmers: expected words of 2, 4, 6 or 8 bases and gaps of 0 or more, got"):
        Kmers(fields["kmers"], fields.get("kmer_gaps", 0), 2)


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"word_sums: expected tables \(g, v, o\) with a square number v and words"):
        word_sums(Tensor.zeros(2, 8, 1), Tensor.zeros(1, 5, 2).cast("int32"))
