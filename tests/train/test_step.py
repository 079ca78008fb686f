"""The loss, and which parameters decay and which run at the motif rate."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict
from train import tiny

from gattn_tg.train.step import cross_entropy, is_decayed, is_motif_table


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_the_valid_rows(smoothing: float) -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((5, 3)), np.array([0, 2, 1, 1, 0], np.int32)
    valid = np.array([True, True, True, False, True])
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    target = (1 - smoothing) * np.eye(3)[labels] + smoothing / 3
    expected = -(target * log_p).sum(1)[valid].mean()
    got = cross_entropy(Tensor(logits.astype(np.float32)), Tensor(labels), Tensor(valid), smoothing).item()
    assert got == pytest.approx(expected, rel=1e-5)


def test_only_weight_matrices_decay() -> None:
    parameters = get_state_dict(tiny.network())
    decayed = {name for name, p in parameters.items() if is_decayed(name, p)}
    assert all(name.endswith("weight") for name in decayed)
    assert not any("norm" in name or is_motif_table(name) for name in decayed)
    assert {name for name in parameters if is_motif_table(name)} == {"blocks.0.attention.motif_bias"}
    assert "head.weight" in decayed
    assert "head.bias" not in decayed
