"""Which parameters decay, which run at the motif rate, and which learn by descent with momentum."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict
from training import tiny

from gattn_tg.training.loop.parameters import is_decayed, is_linear, is_motif_table
from gattn_tg.training.loop.step import Step
from gattn_tg.training.settings import TrainSettings


def test_only_weight_matrices_decay() -> None:
    parameters = get_state_dict(tiny.network())
    decayed = {name for name, p in parameters.items() if is_decayed(name, p)}
    assert all(name.endswith("weight") for name in decayed)
    assert not any("norm" in name or is_motif_table(name) for name in decayed)
    assert {name for name in parameters if is_motif_table(name)} == {"blocks.0.attention.motif_bias"}
    assert "head.weight" in decayed
    assert "head.bias" not in decayed


def test_the_linear_model_beside_a_network_learns_by_descent_with_momentum() -> None:
    """u = 0.9 u + g, p = p - kmer_rate / learning_rate * rate * u; the gradient of sum(p * slope) is slope."""
    weight, other = Tensor(np.ones((2, 4, 1), np.float32)), Tensor(np.ones((4, 1), np.float32))
    slope = np.arange(8, dtype=np.float32).reshape(2, 4, 1)
    settings = TrainSettings(learning_rate=0.01, min_learning_rate=0, kmer_rate=2.0, clip_norm=0.0, weight_decay=0.5)

    def loss(inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return (weight * inputs["slope"]).sum() + (other * inputs["slope"][0]).sum(), inputs["count"].sum()

    step = Step(loss, {"kmers.weight": weight, "head.weight": other}, settings)
    for _ in range(3):
        step([{"slope": Tensor(slope).realize(), "count": Tensor(np.ones(1, np.float32)).realize()}], 0.005)
    velocity = [1.0, 1.9, 2.71]
    np.testing.assert_allclose(weight.numpy(), 1 - 200 * 0.005 * slope * sum(velocity), rtol=1e-5)
    assert is_linear("kmers.weight")
    assert is_linear("placed.weight")
    assert not is_decayed("kmers.weight", weight)
    assert not is_decayed("filters.weight", weight)
