"""Which parameters decay and which run at the motif rate."""

from __future__ import annotations

from tinygrad.nn.state import get_state_dict
from training import tiny

from gattn_tg.training.loop.step import is_decayed, is_motif_table


def test_only_weight_matrices_decay() -> None:
    parameters = get_state_dict(tiny.network())
    decayed = {name for name, p in parameters.items() if is_decayed(name, p)}
    assert all(name.endswith("weight") for name in decayed)
    assert not any("norm" in name or is_motif_table(name) for name in decayed)
    assert {name for name in parameters if is_motif_table(name)} == {"blocks.0.attention.motif_bias"}
    assert "head.weight" in decayed
    assert "head.bias" not in decayed
