"""Layers: names, shapes, what they refuse, and agreement with NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg import GenomicAttention
from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.nn.attention import AttentionConfig
from gattn_tg.nn.convolution import Convolution
from gattn_tg.nn.embedding import Embedding
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.nn.pool import AttentionPool, BothPool, MeanPool, Pool
from gattn_tg.ops.attention.slopes import alibi
from gattn_tg.reference import Bias
from gattn_tg.reference import attention as reference

RNG = np.random.default_rng


def x_of(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(RNG(seed).standard_normal(shape).astype(np.float32))


def test_parameters_have_the_names_of_the_seed() -> None:
    layer = GenomicAttention(width=32, n_heads=4, n_kv_heads=2, motif="pair", per_head=True)
    shapes = {name: tuple(t.shape) for name, t in get_state_dict(layer).items()}
    assert shapes == {"q_proj.weight": (32, 32), "k_proj.weight": (16, 32), "v_proj.weight": (16, 32),
                      "out_proj.weight": (32, 32), "motif_bias": (4, 16, 16)}


@pytest.mark.parametrize(("motif", "per_head"), [("key", False), ("pair", True), ("same", True)])
def test_a_table_may_begin_with_the_motifs(motif: str, per_head: bool) -> None:
    layer = GenomicAttention(width=32, n_heads=4, motif=motif, per_head=per_head, motif_start=1.5)
    assert layer.motif_bias is not None
    table = layer.motif_bias.numpy()
    assert (table[..., 0] == 0).all()
    assert (table[..., 1:] == 1.5).all()
    if motif == "key":  # where all bases have a motif, an equal bias for all is none
        plain, x = GenomicAttention(width=32, n_heads=4, motif=None), x_of(2, 9, 32)
        ids = Tensor(np.ones((2, 9), np.uint8))
        np.testing.assert_allclose(layer(x, ids).numpy(), plain(x).numpy(), atol=1e-5)


def test_a_new_table_is_plain_attention_and_a_filled_one_is_not() -> None:
    ids = Tensor(RNG(0).integers(0, 16, (2, 9)).astype(np.uint8))
    x = x_of(2, 9, 32)
    plain = GenomicAttention(width=32, n_heads=4, motif=None, rng=RNG(3))
    biased = GenomicAttention(width=32, n_heads=4, motif="key", rng=RNG(3))
    np.testing.assert_array_equal(plain(x).numpy(), biased(x, ids).numpy())
    assert biased.motif_bias is not None
    biased.motif_bias.assign(x_of(16, seed=4))
    assert np.abs(plain(x).numpy() - biased(x, ids).numpy()).max() > 1e-3


@pytest.mark.parametrize(("n_heads", "slopes"), [
    (4, [2**-2, 2**-4, 2**-6, 2**-8]),
    (6, [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]),  # no power of two: filled up with every other one of 8
])  # fmt: skip
def test_distance_takes_from_scores_in_each_head_by_the_slope_of_alibi(n_heads: int, slopes: list[float]) -> None:
    """Padding and a motif bias beside it, against the definition."""
    layer = GenomicAttention(width=48, n_heads=n_heads, motif="key", alibi=True, rope=None, out_proj=False)
    assert layer.motif_bias is not None
    layer.motif_bias.assign(x_of(16, seed=4))
    assert alibi(n_heads).tolist() == slopes
    x, ids = x_of(2, 9, 48), RNG(0).integers(0, 16, (2, 9)).astype(np.uint8)
    lengths = np.array([9, 6], np.int32)
    q, k, v = (y.numpy() for y in layer.heads(x))
    bias = Bias("key", layer.motif_bias.numpy(), ids)
    true = reference(q, k, v, bias=bias, lengths=lengths, slopes=np.array(slopes))
    found = layer(x, Tensor(ids), lengths=Tensor(lengths)).numpy()
    np.testing.assert_allclose(found, np.swapaxes(true, 1, 2).reshape(2, 9, 48), atol=1e-6)


def test_fields_by_name_and_a_config_build_the_same_layer() -> None:
    config = AttentionConfig(width=32, n_heads=4, motif="pair", motif_start=0.5, tie_strands=[0, 2, 1], n_motifs=3)
    layers = GenomicAttention(config=config), GenomicAttention(
        32, 4, motif="pair", motif_start=0.5, tie_strands=[0, 2, 1], n_motifs=3)
    assert layers[0].config == layers[1].config
    for one, other in zip(*(get_state_dict(layer).values() for layer in layers), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_wrong_sizes_are_refused_with_the_nearest_right_ones() -> None:
    with pytest.raises(ConfigError, match="divisor of width=500, got 12; the nearest widths are 492 and 504"):
        GenomicAttention(width=500, n_heads=12)
    with pytest.raises(ConfigError, match="n_kv_heads: expected a divisor of n_heads=4, got 3"):
        GenomicAttention(width=32, n_heads=4, n_kv_heads=3)
    with pytest.raises(ConfigError, match="motif: expected None or one of key, pair"):
        GenomicAttention(width=32, n_heads=4, motif="cpg")
    with pytest.raises(ConfigError, match="expected config alone, got also n_heads; put them into the config"):
        GenomicAttention(config=AttentionConfig(width=32, n_heads=4), n_heads=2)
    with pytest.raises(ShapeError, match="motif_ids for the key bias, got None"):
        GenomicAttention(width=32, n_heads=4)(x_of(1, 3, 32))
    with pytest.raises(ConfigError, match="kernel: expected an odd number, which has a centre, got 4; use 5"):
        Convolution(3, 4, 4, RNG(0))


@pytest.mark.parametrize("kernel", [1, 3, 9])
def test_convolution_equals_its_definition(kernel: int) -> None:
    layer = Convolution(3, 5, kernel, RNG(0))
    x = RNG(1).standard_normal((2, 7, 3))
    w, half = layer.weight.numpy().astype(np.float64), kernel // 2
    padded = np.pad(x, ((0, 0), (half, half), (0, 0)))
    want = sum(padded[:, t:t + 7] @ w[:, :, t].T for t in range(kernel))
    np.testing.assert_allclose(layer(Tensor(x.astype(np.float32))).numpy(), want, atol=1e-5)


def test_layer_norm_equals_its_definition() -> None:
    x = RNG(1).standard_normal((2, 7, 24)) * 30 + 100
    want = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(LayerNorm(24)(Tensor(x.astype(np.float32))).numpy(), want, atol=2e-4)


def test_embedding_rows_and_their_gradient() -> None:
    layer, ids = Embedding(5, 4, RNG(0)), np.array([[0, 4, 4], [2, 0, 1]], np.uint8)
    out = layer(Tensor(ids))
    gradient, = out.sum().gradient(layer.weight)  # before out is read: tinygrad forgets how realised values were made
    np.testing.assert_allclose(out.numpy(), layer.weight.numpy()[ids], atol=1e-6)
    np.testing.assert_allclose(gradient.numpy()[:, 0], [2, 1, 1, 0, 2], atol=1e-6)


def test_pools_ignore_padding() -> None:
    x = x_of(3, 6, 8)
    lengths = Tensor([6, 2, 0], dtype="int32")
    other = x.cat(x_of(3, 4, 8, seed=5), dim=1)
    other = Tensor(np.where((np.arange(10) < np.array([[6], [2], [0]]))[..., None],
                            np.pad(x.numpy(), ((0, 0), (0, 4), (0, 0))), other.numpy()).astype(np.float32))
    mean = MeanPool()
    np.testing.assert_allclose(mean(x, lengths).numpy(), mean(other, lengths).numpy(), atol=1e-6)
    np.testing.assert_allclose(mean(x, lengths).numpy()[1], x.numpy()[1, :2].mean(0), atol=1e-6)
    learnt = AttentionPool(8, RNG(2))
    np.testing.assert_allclose(learnt(x, lengths).numpy()[:2], learnt(other, lengths).numpy()[:2], atol=1e-6)
    assert np.isfinite(learnt(x, lengths).numpy()).all()
    both = BothPool(8, RNG(2))(x, lengths).numpy()
    np.testing.assert_array_equal(both[:, :8], learnt(x, lengths).numpy())
    np.testing.assert_array_equal(both[:, 8:], [x.numpy()[0].max(0), x.numpy()[1, :2].max(0), np.zeros(8)])


@pytest.mark.parametrize("pool", [MeanPool(), AttentionPool(8, RNG(2)), BothPool(8, RNG(2))],
                         ids=["mean", "attention", "both"])
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_pools_keep_broken_padding_and_long_lengths_out(pool: Pool, broken: float) -> None:
    whole = RNG(0).standard_normal((2, 6, 8)).astype(np.float32)
    whole[1, 2:] = 0
    torn = whole.copy()
    torn[1, 2:] = broken
    parameters = list(get_state_dict(pool).values())

    def pooled(x: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        leaf = Tensor(x)
        out = pool(leaf, Tensor(lengths))
        return [y.numpy() for y in (out, *out.square().sum().gradient(leaf, *parameters))]

    want = pooled(whole, np.array([6, 2]))
    for lengths in (np.array([6, 2]), np.array([2**32, 2], np.int64)):  # a length beyond the row is the whole row
        for x, y in zip(pooled(torn, lengths), want, strict=True):
            np.testing.assert_allclose(x, y, atol=1e-6)
    np.testing.assert_array_equal(pool(Tensor(whole), Tensor(np.array([-(2**32), 2], np.int64))).numpy()[0],
                                  pool(Tensor(whole), Tensor(np.array([0, 2], np.int64))).numpy()[0])
