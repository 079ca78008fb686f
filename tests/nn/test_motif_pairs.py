"""Pairs of motifs: against sums over all bases in float64, on both strands, and what a model learns of them."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.nn.motif_pairs import distances, n_pairs, pair_sums
from gattn_tg.seq.alphabet import COMPLEMENT

N, MOTIFS, REACH = 21, 2, 14


def sums(strands: np.ndarray) -> np.ndarray:
    """(groups, 2m, 2m) of one sequence, base by base."""
    found = np.zeros((len(distances(REACH)), 2 * MOTIFS, 2 * MOTIFS))
    for k, (first, behind) in enumerate(distances(REACH)):
        for i in range(N):
            for j in range(i + first, min(i + behind, N)):
                found[k] += np.outer(strands[i], strands[j])
    return found


def turned(strands: np.ndarray) -> np.ndarray:
    """Strengths of the other strand, read from its own first base on."""
    return np.concatenate([strands[:, ::-1, MOTIFS:], strands[:, ::-1, :MOTIFS]], axis=-1)


@pytest.fixture(scope="module")
def strands() -> np.ndarray:
    rng = np.random.default_rng(0)
    drawn = rng.exponential(size=(3, N, 2 * MOTIFS)) * (rng.random((3, N, 2 * MOTIFS)) < 0.4)
    return drawn.astype(np.float32)


def test_every_distance_below_the_reach_is_in_one_group_and_groups_double_in_two_steps() -> None:
    found = distances(40)
    assert found == ((1, 2), (2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (12, 16), (16, 24), (24, 32), (32, 48))
    assert n_pairs(3, 40) == 10 * 36


def test_pairs_are_sums_over_bases_at_each_distance(strands: np.ndarray) -> None:
    wanted = np.log1p([sums(x.astype(np.float64)) for x in strands]).reshape(3, -1)
    assert wanted.shape[1] == n_pairs(MOTIFS, REACH)
    np.testing.assert_allclose(pair_sums(Tensor(strands), REACH).numpy(), wanted, rtol=1e-5, atol=2e-7)


def test_merged_strands_count_a_pair_as_what_it_is_on_the_other_strand(strands: np.ndarray) -> None:
    wanted = np.log1p([sums(x) + sums(y) for x, y in
                       zip(strands.astype(np.float64), turned(strands.astype(np.float64)), strict=True)])  # fmt: skip
    for given in (strands, turned(strands)):
        found = pair_sums(Tensor(given.copy()), REACH, merges_strands=True).numpy()
        np.testing.assert_allclose(found, wanted.reshape(3, -1), rtol=1e-5, atol=2e-7)


def test_the_gradient_of_strengths_is_that_of_differences(strands: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_normal(n_pairs(MOTIFS, REACH))
    x = Tensor(strands[:1].copy())
    (pair_sums(x, REACH) * Tensor(weight.astype(np.float32))).sum().backward()
    assert x.grad is not None
    found, step = x.grad.numpy()[0], 1e-5
    for _ in range(12):
        i, c = rng.integers(N), rng.integers(2 * MOTIFS)
        up, down = (strands[0].astype(np.float64) for _ in range(2))
        up[i, c] += step
        down[i, c] -= step
        slope = (np.log1p(sums(up)) - np.log1p(sums(down))).reshape(-1) @ weight / (2 * step)
        np.testing.assert_allclose(found[i, c], slope, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_sequence_shorter_than_the_reach_has_no_pairs_beyond_its_end(strands: np.ndarray, n: int) -> None:
    found = pair_sums(Tensor(strands[:, :n].copy()), REACH).numpy().reshape(3, len(distances(REACH)), -1)
    for k, (first, _) in enumerate(distances(REACH)):
        assert first < n or not found[:, k].any()


def test_both_strands_have_one_answer_and_padding_changes_nothing() -> None:
    config = ClassifierConfig(
        n_classes=2, max_length=30, width=16, n_layers=1, n_heads=2, stem_kernel=0, motif="none", embed_motifs=False,
        filters=3, filter_width=5, motif_pairs=2, pair_reach_bp=16, merge_strands=True, dropout=0.0,
    )  # fmt: skip
    model, rng = SequenceClassifier(config), np.random.default_rng(2)
    assert model.pairs is not None
    model.pairs.weight.replace(Tensor(rng.standard_normal(model.pairs.weight.shape).astype(np.float32)))
    bases = rng.integers(0, 4, (1, 24)).astype(np.uint8)
    padded = np.full((1, 30), 4, np.uint8)
    padded[:, :24] = bases
    both = COMPLEMENT[bases[:, ::-1]]

    def said(rows: np.ndarray) -> np.ndarray:
        return model.pairs(model.pair_numbers(Tensor(rows), Tensor(np.array([24], np.int32)))).numpy()  # type: ignore[misc]

    assert np.abs(said(bases)).max() > 1e-3
    np.testing.assert_allclose(said(both), said(bases), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(said(padded), said(bases), rtol=1e-4, atol=1e-5)


def test_pairs_need_filters() -> None:
    shape = ClassifierConfig(n_classes=2, filters=3, motif="none", embed_motifs=False, motif_pairs=4)
    with pytest.raises(ConfigError, match="motif_pairs: expected at most filters, 3, got 4"):
        SequenceClassifier(shape).pair_numbers(Tensor(np.zeros((1, 9), np.uint8)), Tensor(np.array([9], np.int32)))
