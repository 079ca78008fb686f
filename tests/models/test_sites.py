"""SiteModel: a plain computation in NumPy, padding, places and neighbours that change nothing or something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.sites.config import SiteConfig
from gattn_tg.models.sites.network import KIND, SiteModel
from gattn_tg.models.sites.readout import SparseReadout
from gattn_tg.reference import Bias, Rope, attention

SHAPE = SiteConfig(
    width=16, n_layers=1, n_heads=2, mlp_ratio=1, dropout=0.0, around_bp=16, pool_bp=8, local_width=4, stem_kernel=3,
    composition_bp=(8,),
)
B, S = 2, 9
LENGTHS = np.array([S, S - 3], np.int32)


@pytest.fixture(scope="module")
def model() -> SiteModel:
    made, rng = SiteModel(SHAPE, seed=1), np.random.default_rng(2)
    for name, tensor in get_state_dict(made).items():
        if name.endswith(("motif_bias", "bias")):  # they start at nought
            tensor.assign(Tensor(rng.standard_normal(tensor.shape).astype(np.float32))).realize()
    return made


@pytest.fixture(scope="module")
def forward(model: SiteModel) -> Forward:
    return Forward(model, B)


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    bases, ids = (rng.integers(0, top, (B, S, 16)).astype(np.uint8) for top in (5, 16))
    places = np.sort(rng.integers(0, 3_000, (B, S)), axis=1).astype(np.int32)
    return bases, ids, LENGTHS, places - places[:, :1], rng.standard_normal((B, S, 8)).astype(np.float32)


def plain(model: SiteModel, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
    """The network in float64, site by site where it can be."""
    p = {name: tensor.numpy().astype(np.float64) for name, tensor in get_state_dict(model).items()}

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ p[f"{name}.weight"].T + p.get(f"{name}.bias", 0.0)

    def gelu(x: np.ndarray) -> np.ndarray:
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / np.sqrt(var + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]

    bases, motif_ids, lengths, positions, facts = arrays
    local, ids = np.zeros((B, S, 8)), np.zeros((B, S), int)
    for b in range(B):
        for s in range(S):
            hot = np.pad(np.eye(5)[bases[b, s]][:, :4], ((1, 1), (0, 0)))
            seen = np.stack([(p["local.weight"] * hot[i : i + 3].T).sum((1, 2)) for i in range(16)]) + p["local.bias"]
            local[b, s] = gelu(seen).reshape(2, 8, 4).mean(1).ravel()
            ids[b, s] = next((rank for rank in SHAPE.site_ranks if rank in motif_ids[b, s]), 0)
    x = linear(np.concatenate([local, facts], 2), "join") + p["embed_motifs.weight"][ids]
    y = norm(x, "blocks.0.attention_norm")
    q, k, v = (linear(y, f"blocks.0.attention.{n}_proj").reshape(B, S, 2, 8).transpose(0, 2, 1, 3) for n in "qkv")
    o = attention(q, k, v, bias=Bias("key", p["blocks.0.attention.motif_bias"], ids),
                  rope=Rope(linear_scale=16.0), positions=positions, lengths=lengths)  # fmt: skip
    x = x + linear(np.asarray(o).transpose(0, 2, 1, 3).reshape(B, S, 16), "blocks.0.attention.out_proj")
    y = norm(x, "blocks.0.mlp_norm")
    x = norm(x + linear(gelu(linear(y, "blocks.0.mlp.up")), "blocks.0.mlp.down"), "norm")
    return linear(np.concatenate([x, facts], 2), "head")


def test_a_forward_pass_is_the_plain_computation(
    model: SiteModel, forward: Forward, arrays: tuple[np.ndarray, ...]
) -> None:
    found, expected = forward(*arrays), plain(model, arrays)
    assert found.shape == (B, S, 1)
    for row, n in enumerate(LENGTHS):
        np.testing.assert_allclose(found[row, :n], expected[row, :n], rtol=1e-4, atol=1e-5)


def test_what_stands_behind_the_sites_of_a_row_changes_nothing(
    forward: Forward, arrays: tuple[np.ndarray, ...]
) -> None:
    found = forward(*arrays)
    n, changed = LENGTHS[1], tuple(x.copy() for x in arrays)
    changed[0][1, n:], changed[1][1, n:], changed[3][1, n:], changed[4][1, n:] = 4, 7, 99, 1e3
    np.testing.assert_array_equal(forward(*changed)[1, :n], found[1, :n])
    for at, far in ((3, 700), (4, 1.0), (0, 1)):  # place, facts or bases of a neighbour
        changed = tuple(x.copy() for x in arrays)
        changed[at][0, 4] = (changed[at][0, 4] + far) % 4 if at == 0 else changed[at][0, 4] + far
        other = forward(*changed)
        assert np.abs(other[0, 0] - found[0, 0]).max() > 1e-6
        np.testing.assert_array_equal(other[1], found[1])  # another row


@pytest.mark.parametrize(("fields", "said"), [
    ({"around_bp": 20}, "around_bp: expected a multiple of pool_bp = 16, got 20"),
    ({"stem_kernel": 4}, "stem_kernel: expected an odd number of bases"),
    ({"composition_bp": (100, 0)}, "composition_bp: expected distances from 1 to 1048576"),
    ({"site_ranks": (1, 16)}, "site_ranks: expected motif ids below n_motifs = 16"),
    ({"pool_bp": 0}, "pool_bp: expected at least 1"),
])  # fmt: skip
def test_sizes_that_cannot_be_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        SiteConfig(**fields)


READOUT = SparseReadout(target="share", both_strands=True, pattern="CG", site_bp=2, n_sites=4, mean=(0.0,) * 8,
                        sd=(2.0,) * 8)  # fmt: skip


def test_a_readout_scales_facts_and_reads_log_odds() -> None:
    assert READOUT.scaled(np.full((3, 8), 4.0)).tolist() == [[2.0] * 8] * 3
    np.testing.assert_allclose(READOUT.shares(np.array([2.0, 0.0, -1e9, 1e9])), [1 / (1 + np.exp(-2.0)), 0.5, 0, 1])
    assert SparseReadout.from_about({**READOUT.to_about(), "vocabulary": "any"}) == READOUT
    READOUT.check(SHAPE)


@pytest.mark.parametrize(("change", "said"), [
    ({"pattern": "CA"}, "reads the same on both strands"),
    ({"pattern": "GATC"}, "a pattern of site_bp = 2 letters"),
    ({"mean": (float("nan"),) * 8}, "mean: expected a finite number"),
    ({"n_sites": 0}, "n_sites from 1"),
    ({"target": "other"}, "target"),
    ({"mean": [0.0]}, "a mean and an sd above 0 for each of 8 facts, got 1 and 8"),
    ({"sd": [0.0] * 8}, "a mean and an sd above 0"),
    ({"pattern": "", "site_bp": 17}, "sites of at most around_bp = 16 bases, got 17"),
])  # fmt: skip
def test_what_no_readout_can_be_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        KIND.read({**READOUT.to_about(), **change}, SHAPE)
