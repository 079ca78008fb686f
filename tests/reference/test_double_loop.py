"""The reference against attention written a second time, base pair by base pair."""

from __future__ import annotations

import numpy as np
import pytest
from reference import double_loop

from gattn_tg.ops.attention.cases import CASES, KINDS, SWAP, Case
from gattn_tg.reference import Bias, Rope, attention, attention_backward

# Above this many score terms Python loops are too slow, and the case adds nothing but size.
SMALL = [case for case in CASES if case.b * case.h * case.n * case.m < 20_000]

# One small case of every kind with everything else switched on, differentiated to the last digit.
TINY = [
    Case(
        f"tiny_{kind}",
        b=1,
        h=2,
        g=1,
        n=4,
        m=5,
        d=4,
        e=2,
        kind=kind,
        per_head=kind in ("key", "pair"),
        complement=SWAP if kind in ("key", "pair", "same", "ordered") else None,
        rope={"interleaved": kind == "same"},
        positions="near",
        is_causal=kind != "between",
        lengths=(5,),
        segments=2 if kind == "dense" else 0,
    )
    for kind in KINDS
]


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_forward_and_backward_agree_with_the_double_loop(case):
    x = case.inputs()
    keywords = x.keywords(Bias, Rope, np.asarray)
    o, lse = attention(x.q, x.k, x.v, return_lse=True, **keywords)
    o2, lse2 = double_loop.attention(x.q, x.k, x.v, **keywords)
    # Positions near a million make angles near a million radians, of which float64 keeps 1e-10.
    atol = 1e-9 if case.positions == "far" else 1e-12
    np.testing.assert_allclose(o, o2, rtol=0, atol=atol)
    np.testing.assert_allclose(lse, lse2, rtol=0, atol=atol)

    ours = attention_backward(x.do, x.q, x.k, x.v, dlse=x.dlse, **keywords)
    theirs = double_loop.attention_backward(x.do, x.q, x.k, x.v, dlse=x.dlse, **keywords)
    for name in ("dq", "dk", "dv"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=0, atol=atol, err_msg=name)
    if case.kind is None:
        assert ours.dtable is None
    else:
        np.testing.assert_allclose(ours.dtable, theirs.dtable, rtol=0, atol=atol)


@pytest.mark.parametrize("case", TINY, ids=str)
def test_backward_agrees_with_the_complex_step(case):
    x = case.inputs()
    keywords = x.keywords(Bias, Rope, np.asarray)
    ours = attention_backward(x.do, x.q, x.k, x.v, dlse=x.dlse, **keywords)

    def derivative(name, place):
        arrays = {"q": x.q, "k": x.k, "v": x.v, "table": x.table}
        moved = arrays[name].astype(complex)
        moved[place] += 1e-30j
        arrays[name] = moved
        bias = x.keywords(Bias, Rope, np.asarray, table=arrays["table"])["bias"]
        o, lse = double_loop.attention(arrays["q"], arrays["k"], arrays["v"], **{**keywords, "bias": bias})
        seen = np.isfinite(lse.real)
        return float(np.sum(x.do * o.imag) + np.sum((x.dlse * lse.imag)[seen])) / 1e-30

    for name in ("q", "k", "v", "table"):
        mine = getattr(ours, f"d{name}")
        exact = np.zeros(mine.shape)
        for place in np.ndindex(mine.shape):
            exact[place] = derivative(name, place)
        np.testing.assert_allclose(mine, exact, rtol=0, atol=1e-13, err_msg=name)
