"""What strengths of motifs say: against the formula in float64, and what is usual is taken from sequences."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.nn.evidence import LEAST_SD, Evidence
from gattn_tg.nn.strengths import summary


def test_evidence_is_linear_in_what_is_unusual() -> None:
    rng = np.random.default_rng(0)
    strengths, lengths = rng.exponential(size=(6, 9, 3)).astype(np.float32), np.array([9, 4, 9, 1, 7, 9], np.int32)
    strengths[:, :, 2] = 0.001  # a motif that nothing has
    evidence = Evidence(6, 2)
    told = summary(Tensor(strengths), Tensor(lengths))
    assert not evidence(told).numpy().any()
    weight = rng.standard_normal((6, 2)).astype(np.float32)
    evidence.weight.assign(Tensor(weight)).realize()
    f = np.array([
        [*s[:n].max(0), *np.log1p(s[:n].sum(0))] for s, n in zip(strengths.astype(np.float64), lengths, strict=True)
    ])
    np.testing.assert_allclose(told.numpy(), f, rtol=1e-5, atol=2e-7)  # 1 + x is rounded before the logarithm
    evidence.calibrate(told.numpy()[:4])
    usual, spread = f[:4].mean(0), np.maximum(f[:4].std(0), LEAST_SD)
    assert spread[2] == LEAST_SD
    wanted = (f - usual) / spread @ weight / np.sqrt(6)
    np.testing.assert_allclose(evidence(told).numpy(), wanted, rtol=1e-4, atol=1e-4)


def test_a_linear_model_of_motif_counts_sees_presence_and_amount_of_each_class() -> None:
    rng = np.random.default_rng(1)
    shape = {"width": 16, "n_layers": 1, "n_heads": 2, "dropout": 0.0, "n_motifs": 4, "motif": "pair", "stem_kernel": 0}
    model = SequenceClassifier(ClassifierConfig(n_classes=2, max_length=12, motif_counts=True, **shape))
    bases, ids = (rng.integers(0, 4, (5, 12)).astype(np.uint8) for _ in range(2))
    lengths = np.array([12, 7, 1, 12, 9], np.int32)
    assert model.evidence is not None
    model.calibrate(bases, ids, lengths)
    weight = rng.standard_normal((6, 2)).astype(np.float32)
    model.evidence.weight.assign(Tensor(weight)).realize()
    counts = np.array([[np.sum(row[:n] == c) for c in (1, 2, 3)] for row, n in zip(ids, lengths, strict=True)])
    f = np.concatenate([counts > 0, np.log1p(counts)], axis=1).astype(np.float64)
    wanted = (f - f.mean(0)) / np.maximum(f.std(0), LEAST_SD) @ weight / np.sqrt(6)
    network, linear = model.parts(Tensor(bases), Tensor(ids), Tensor(lengths)).values()
    np.testing.assert_allclose(linear.numpy(), wanted, rtol=1e-4, atol=1e-4)
    told = model(Tensor(bases), Tensor(ids), Tensor(lengths)).numpy()
    np.testing.assert_allclose(told, network.numpy() + linear.numpy(), rtol=1e-5, atol=1e-5)


def test_motif_counts_are_none_beside_filters() -> None:
    with pytest.raises(ConfigError, match="motif_counts: expected false, as there are filters"):
        ClassifierConfig(n_classes=2, filters=3, motif="none", embed_motifs=False, motif_counts=True)
