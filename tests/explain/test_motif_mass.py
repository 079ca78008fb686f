"""Shares of attention per motif against the float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg import MotifBias, Rope
from gattn_tg.errors import ShapeError
from gattn_tg.explain import motif_mass
from gattn_tg.reference import Bias
from gattn_tg.reference import Rope as ReferenceRope
from gattn_tg.reference import motif_mass as reference_motif_mass


def test_shares_equal_the_map_summed_over_motifs() -> None:
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((2, 4, 37, 16)), rng.standard_normal((2, 2, 37, 16))
    table, ids = rng.standard_normal((16, 16)), rng.integers(0, 16, (2, 37)).astype(np.uint8)
    lengths = np.array([37, 20], np.int32)
    want = reference_motif_mass(q, k, ids, n_motifs=16, bias=Bias.pair(table, ids), rope=ReferenceRope(),
                                is_causal=True, lengths=lengths)
    single = [Tensor(x.astype(np.float32)) for x in (q, k, table)]
    bias = MotifBias.pair(single[2], Tensor(ids))
    found = motif_mass(single[0], single[1], Tensor(ids), bias=bias, rope=Rope(), is_causal=True,
                       lengths=Tensor(lengths)).numpy()
    np.testing.assert_allclose(found, want, atol=2e-6)
    np.testing.assert_allclose(found.sum(-1), 1, atol=2e-6)


def test_ids_must_be_those_of_the_keys() -> None:
    q = Tensor.zeros(1, 1, 4, 8)
    with pytest.raises(ShapeError, match=r"expected ids of shape \(1, 4\), one per key, got \(1, 3\); pass the ids"):
        motif_mass(q, q, Tensor([[0, 1, 1]]))
