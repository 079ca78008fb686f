"""What strengths of motifs say: against the formula in float64, and what is usual is taken from sequences."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.nn.strengths import LEAST_SD, Evidence, summary


def test_evidence_is_linear_in_what_is_unusual() -> None:
    rng = np.random.default_rng(0)
    strengths, lengths = rng.exponential(size=(6, 9, 3)).astype(np.float32), np.array([9, 4, 9, 1, 7, 9], np.int32)
    strengths[:, :, 2] = 0.001  # a motif that nothing has
    evidence = Evidence(3, 2)
    assert not evidence(Tensor(strengths), Tensor(lengths)).numpy().any()
    weight = rng.standard_normal((6, 2)).astype(np.float32)
    evidence.weight.assign(Tensor(weight)).realize()
    f = np.array([
        [*s[:n].max(0), *np.log1p(s[:n].sum(0))] for s, n in zip(strengths.astype(np.float64), lengths, strict=True)
    ])
    told = summary(Tensor(strengths), Tensor(lengths)).numpy()
    np.testing.assert_allclose(told, f, rtol=1e-5, atol=2e-7)  # 1 + x is rounded before the logarithm
    evidence.calibrate(told[:4])
    usual, spread = f[:4].mean(0), np.maximum(f[:4].std(0), LEAST_SD)
    assert spread[2] == LEAST_SD
    wanted = (f - usual) / spread @ weight / np.sqrt(6)
    np.testing.assert_allclose(evidence(Tensor(strengths), Tensor(lengths)).numpy(), wanted, rtol=1e-4, atol=1e-4)
