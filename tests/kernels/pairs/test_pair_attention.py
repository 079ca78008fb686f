"""Attention in bfloat16 over pairs: within the promise, and the same bits on any number of cores."""

from __future__ import annotations

import numpy as np
import promise
import pytest
from tinygrad import Tensor, dtypes

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.kernels.pairs import unit
from gattn_tg.machine import pairs, threads
from gattn_tg.ops.attention.cases import Case

HERE = pairs.available()
# rows and keys that fill nothing, grouped heads and a rotation; then operands that are read where they are
EDGES = Case("edges", b=2, h=4, g=2, n=37, m=130, d=10, e=6, kind="pair", rope={}, lengths=(130, 90))
WHOLE = Case("whole", b=1, h=2, g=2, n=128, m=128, d=64, e=64, kind="key", is_causal=True)

pytestmark = pytest.mark.skipif(not HERE, reason="this CPU has no instructions for pairs of bfloat16")


def answers(case: Case) -> tuple[object, list[Tensor]]:
    """The inputs of a case, and output, log-sum-exp and gradients of q, k, v and the table."""
    x = case.inputs().rounded(promise.rounding("bfloat16"))
    arrays = [x.q, x.k, x.v, x.do]
    q, k, v, do = (Tensor(a.astype(np.float32), device="CPU").cast(dtypes.bfloat16).realize() for a in arrays)
    table = Tensor(x.table.astype(np.float32), device="CPU")
    keywords = x.keywords(MotifBias, Rope, lambda a: Tensor(np.asarray(a), device="CPU"), table=table)
    o, lse = attention(q, k, v, impl="loops", return_lse=True, **keywords)
    return x, [o, lse, *(o.float() * do.float()).sum().gradient(q, k, v, table)]


@pytest.mark.parametrize(("case", "name"), [*((EDGES, name) for name in HERE), *((WHOLE, name) for name in HERE[:1])])
def test_every_instruction_keeps_the_promise(case: Case, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All seven products take the instruction."""
    products = []
    multiply = unit.multiply
    monkeypatch.setattr(unit, "multiply", lambda *a, **more: products.append(a[1]) or multiply(*a, **more))
    with pairs.assuming(name):
        x, found = answers(case)
        numbers = [y.float().numpy().astype(np.float64) for y in found]
    promise.check(promise.Answers(*numbers), case, x, "bfloat16")
    assert products == [name] * 7


def test_same_bits_on_any_number_of_cores() -> None:
    before, bits = threads.count(), []
    try:
        for count in (1, 3):
            threads.set_threads(count)
            with pairs.assuming(HERE[0]):
                bits.append([y.float().numpy().tobytes() for y in answers(WHOLE)[1]])
    finally:
        threads.set_threads(before)
    assert bits[0] == bits[1]
