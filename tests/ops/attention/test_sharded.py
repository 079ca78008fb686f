"""Every implementation of attention under `Tensor.shard`: batch rows and heads on two devices give the bits of one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.kernels.simt import plan as simt_plan
from gattn_tg.ops.attention import simt

B, H, G, N, D, T = 2, 4, 2, 6, 4, 3
RNG = np.random.default_rng(0)
Q, K, V, DO = (RNG.standard_normal((B, heads, N, D)).astype(np.float32) for heads in (H, G, G, H))
TABLE = RNG.standard_normal((H, T, T)).astype(np.float32)
IDS = RNG.integers(0, T, (B, N)).astype(np.uint8)
LENGTHS = np.array([N, 4], np.int32)
# simt in tinygrad's emulator of GPU threads, which takes a second for a handful of numbers
KINDS = {"lazy": "CPU", "loops": "CPU", "simt": "PYTHON"}


@pytest.fixture
def _few_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("GPU", "CPU"):
        monkeypatch.setattr(simt_plan, name, "2 2 4 4")
    simt.layouts.cache_clear()
    yield
    simt.layouts.cache_clear()


def answers(impl: str, placed: list[Tensor]) -> list[np.ndarray]:
    """Output and the gradients of q, k, v and the table."""
    q, k, v, do, table, ids, lengths = placed
    o = attention(
        q, k, v, bias=MotifBias.pair(table, ids), rope=Rope(), is_causal=True, lengths=lengths, impl=impl
    )  # fmt: skip
    return [x.numpy() for x in (o, *(o * do).sum().gradient(q, k, v, table))]


@pytest.mark.usefixtures("_few_threads")
# one axis each, as compiling takes long; rows of `loops` stand in kernels/loops/test_loops.py
@pytest.mark.parametrize(("impl", "axis"), [("lazy", 0), ("loops", 1), ("simt", 1)])
def test_two_devices_are_one(impl: str, axis: int) -> None:
    kind = KINDS[impl]
    given = (Q, K, V, DO, TABLE, IDS, LENGTHS)
    # rows: the table on both devices; heads: a table goes where its head is, ids and lengths on both
    axes = (0, 0, 0, 0, None, 0, 0) if axis == 0 else (1, 1, 1, 1, 0, None, None)
    devices = (f"{kind}:0", f"{kind}:1")
    whole = answers(impl, [Tensor(x, device=kind).realize() for x in given])
    cut = [Tensor(x, device=kind).shard(devices, axis=at).realize() for x, at in zip(given, axes, strict=True)]
    for name, x, y in zip(("o", "dq", "dk", "dv", "dtable"), answers(impl, cut), whole, strict=True):
        # sums over rows go over two devices: another order; all else is the same arithmetic
        tolerance = 1e-6 if name == "dtable" else 0.0
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance, err_msg=name)
