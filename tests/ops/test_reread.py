"""Every operation with computed operands: its gradients do not depend on whether the loss was read before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from reread import same_after_reading, same_under_jit
from tinygrad import Tensor
from tinygrad.helpers import Context

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.kernels.simt import plan as simt_plan
from gattn_tg.ops.activation import gelu
from gattn_tg.ops.attention import simt
from gattn_tg.ops.attention.rope import cos_sin, rotate
from gattn_tg.ops.attention.sequence import blocks_of, sequence_parallel_attention
from gattn_tg.ops.convolution import convolution
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.ops.dropout import drawn_from, dropout
from gattn_tg.ops.linear import linear
from gattn_tg.ops.lookup import rows_of
from gattn_tg.ops.norm import layer_norm
from gattn_tg.ops.poisson import binary_cross_entropy, poisson, poisson_multinomial, softplus
from gattn_tg.ops.pooling import halved

B, H, N, D, T = 2, 2, 37, 8, 4
DEVICES = ("CPU:0", "CPU:1")


def leaf(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def placed(array: np.ndarray, device: str = "CPU") -> Tensor:
    return Tensor(array, device=device).realize()


def ids_of(*shape: int, most: int = T) -> Tensor:
    return placed(np.random.default_rng(3).integers(0, most, shape).astype(np.uint8))


# ways to compute an operand of shape (b, h, n, d) from a leaf of the shape beside it
VIEWS: dict[str, tuple[tuple[int, ...], Callable[[Tensor], Tensor]]] = {
    "expand": ((1, H, N, D), lambda x: x.expand(B, H, N, D)),
    "slice": ((B, H, N + 5, D), lambda x: x[:, :, 3 : 3 + N]),
    "rows": ((B + 1, H, N, D), lambda x: x[1:]),
    "permute": ((B, N, H, D), lambda x: x.permute(0, 2, 1, 3)),
    "pad": ((B, H, N - 4, D), lambda x: x.pad((None, None, (0, 4), None))),
    "cat": ((B, H, 20, D), lambda x: x.cat(x[:, :, :17], dim=2)),
    "flip": ((B, H, N, D), lambda x: x.flip(2)),
    "product": ((B, H, N, D), lambda x: x * 1.5),
    "narrow": ((B, H, N, D), lambda x: x.half().float()),
}


@pytest.mark.parametrize("views", [tuple(VIEWS)[i : i + 3] for i in range(0, len(VIEWS), 3)], ids="-".join)
def test_attention_of_views(views: tuple[str, ...]) -> None:
    """Queries, keys and values of a leaf each, each seen in its own way."""
    ways = [VIEWS[view] for view in views]
    weights = placed(leaf(B, H, N, D, seed=9))

    def loss(*leaves: Tensor) -> Tensor:
        q, k, v = (of(x) for (_, of), x in zip(ways, leaves, strict=True))
        return (attention(q, k, v, impl="loops") * weights).sum()

    same_after_reading(loss, [placed(leaf(*shape, seed=i)) for i, (shape, _) in enumerate(ways)])


def biased(kind: str, impl: str, device: str, n: int, d: int) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """A loss of output and lse, whose operands and table are all computed, and its leaves."""
    t = (T, T) if kind in ("pair", "ordered") else (T,)
    ids = ids_of(B, n, n) if kind == "dense" else ids_of(B, n)
    ids = ids.to(device).realize()

    def loss(x: Tensor, w: Tensor, table: Tensor) -> Tensor:
        q, k, v = (x @ w).reshape(B, n, 3, H, d).permute(2, 0, 3, 1, 4).chunk(3)
        bias = MotifBias(kind, table * 0.5, ids)
        rope = None if kind == "dense" else Rope()
        o, lse = attention(q[0], k[0], v[0], bias=bias, rope=rope, is_causal=True, impl=impl, return_lse=True)
        return o.square().sum() + lse.sum()

    arrays = leaf(B, n, H * d), leaf(H * d, 3 * H * d), leaf(*t)
    return loss, [placed(x, device) for x in arrays]


@pytest.mark.parametrize("kind", ["pair", "ordered", "between", "dense"])
def test_attention_in_loops(kind: str) -> None:
    same_after_reading(*biased(kind, "loops", "CPU", N, D))


def test_attention_of_few_queries() -> None:
    """One query against many keys is another kernel."""
    k, v = placed(leaf(B, H, N, D)), placed(leaf(B, H, N, D, seed=1))

    def loss(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attention(q.permute(0, 2, 1, 3), k * 2, v * 2, impl="loops").square().sum()

    same_after_reading(loss, [placed(leaf(B, 1, H, D)), k, v])


@pytest.fixture
def _few_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("GPU", "CPU"):
        monkeypatch.setattr(simt_plan, name, "2 2 4 4")
    simt.layouts.cache_clear()
    yield
    simt.layouts.cache_clear()


@pytest.mark.usefixtures("_few_threads")
def test_attention_by_groups_of_threads() -> None:
    """In tinygrad's emulator of a GPU."""
    same_after_reading(*biased("pair", "simt", "PYTHON", 5, 4))


@pytest.mark.parametrize("axis", [0, 1])
def test_attention_on_two_devices(axis: int) -> None:
    leaves = [Tensor(leaf(B, H, N, D, seed=i), device="CPU").shard(DEVICES, axis).realize() for i in range(3)]

    def loss(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attention(q * 1.5, k * 1.5, v * 1.5, impl="loops").square().sum()

    same_after_reading(loss, leaves)


def test_attention_along_a_sequence_of_devices() -> None:
    def loss(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        blocks = [blocks_of(x * 1.5, DEVICES) for x in (q, k, v)]
        parts = sequence_parallel_attention(*blocks, is_causal=True)
        return sum((x.square().sum().to("CPU") for x in parts), Tensor(0.0, device="CPU"))

    same_after_reading(loss, [placed(leaf(B, H, 64, D, seed=i)) for i in range(3)])


def test_attention_in_a_captured_step() -> None:
    same_under_jit(*biased("key", "loops", "CPU", N, D))


M, K, W = 96, 72, 40  # large enough for the product kernels
TARGET = np.random.default_rng(5).integers(0, 9, (M, W)).astype(np.float32)


def _linear(x: Tensor, w: Tensor, b: Tensor, r: Tensor) -> Tensor:
    return linear(x.permute(1, 0), w.flip(0), b * 2, "gelu", r.expand(M, W)).square().mean()


def _linear_narrow(x: Tensor, w: Tensor) -> Tensor:
    return linear(x.bfloat16(), w.bfloat16(), None, "relu").float().square().mean()


def _twice(x: Tensor, w: Tensor, v: Tensor) -> Tensor:
    return linear(linear(x * 2, w), v * 2).square().mean()


def _norm(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return (layer_norm(x.permute(1, 0), w * 2, b[3 : 3 + W]) * placed(leaf(M, W))).sum()


def _convolution(x: Tensor, w: Tensor, b: Tensor, r: Tensor) -> Tensor:
    return convolution(x.flip(1), w.permute(1, 0, 2), b * 2, "gelu", r.expand(B, 300, 32)).square().mean()


def _unfolded(x: Tensor, w: Tensor) -> Tensor:
    return convolution(x.pad((None, (2, 3), None)), w * 2, None, "relu").square().mean()


def _entropy(x: Tensor) -> Tensor:
    return cross_entropy(x.permute(1, 0), ids_of(M), smoothing=0.1)[0]


def _rows(table: Tensor) -> Tensor:
    return (rows_of(table.permute(1, 0), ids_of(M)) * placed(leaf(M, W))).sum()


def _many_rows(table: Tensor) -> Tensor:
    return (rows_of(table * 2, ids_of(M)) * placed(leaf(M, 260))).sum()


def _halved(x: Tensor) -> Tensor:
    return (halved(x.flip(2)) * placed(leaf(B, 16, W))).sum()


def _rotated(x: Tensor) -> Tensor:
    places = Tensor.arange(N).unsqueeze(0)
    cos, sin = cos_sin(Rope(), D, places, "CPU")
    return (rotate(x.permute(0, 2, 1, 3), cos, sin, False) * placed(leaf(B, H, N, D))).sum()


def _dropped(x: Tensor) -> Tensor:
    with Context(TRAINING=1), drawn_from(placed(np.array([1, 2], np.uint32))):
        return dropout(linear(x * 2, placed(leaf(W, K))), 0.4).square().sum()


def _counts(x: Tensor) -> Tensor:
    rate, target = softplus(x.permute(1, 0)), placed(TARGET)
    split = poisson_multinomial(rate.reshape(4, M // 4, W), target.reshape(4, M // 4, W), segments=2)
    return poisson(rate, target) + split + binary_cross_entropy(gelu(rate), target.clip(0, 1), target)


OPERATIONS: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "linear": (_linear, ((K, M), (W, K), (W,), (1, W))),
    "linear in bfloat16": (_linear_narrow, ((M, K), (W, K))),
    "linear of linear": (_twice, ((M, K), (W, K), (K, W))),
    "layer_norm": (_norm, ((W, M), (W,), (W + 5,))),
    "convolution": (_convolution, ((B, 300, 32), (32, 32, 5), (32,), (1, 300, 32))),
    "convolution as a product": (_unfolded, ((B, 32, 8), (8, 8, 3))),
    "cross_entropy": (_entropy, ((T, M),)),
    "rows_of": (_rows, ((W, T),)),
    "rows_of a large table": (_many_rows, ((256, 260),)),
    "halved": (_halved, ((B, 32, W),)),
    "rotate": (_rotated, ((B, N, H, D),)),
    "dropout": (_dropped, ((M, K),)),
    "losses of counts": (_counts, ((W, M),)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str) -> None:
    loss, shapes = OPERATIONS[name]
    same_after_reading(loss, [placed(leaf(*shape, seed=i)) for i, shape in enumerate(shapes)])


@pytest.mark.parametrize("name", ["linear", "layer_norm", "convolution"])
def test_operations_in_a_captured_step(name: str) -> None:
    loss, shapes = OPERATIONS[name]
    same_under_jit(loss, [placed(leaf(*shape, seed=i)) for i, shape in enumerate(shapes)])
