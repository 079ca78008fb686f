"""NaN and infinities in the operands of attention, and what the float64 reference says about where they go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.ops.attention.cases import Case
from gattn_tg.reference import Bias, attention_backward
from gattn_tg.reference import Rope as ReferenceRope
from gattn_tg.reference import attention as reference

NAMES = ("o", "lse", "dq", "dk", "dv", "dtable")
SIZES = {"b": 2, "h": 2, "g": 1, "n": 37, "m": 41, "d": 8, "e": 5}
# Every mask and every kind once; m fills no block, so that padding lies behind the last key.
CASES = (
    Case("lengths", **SIZES, lengths=(41, 23)),
    Case("causal_key_rope", **SIZES, kind="key", is_causal=True, rope={"rotary_dim": 6}),
    Case("window_pair", **SIZES, kind="pair", window_size=(6, 3), per_head=True),
    Case("segments_same", **SIZES, kind="same", segments=3),
    Case("lengths_ordered", **SIZES, kind="ordered", lengths=(30, 0)),
    Case("causal_between", **SIZES, kind="between", is_causal=True, lengths=(41, 9)),
    Case("dense_segments", **SIZES, kind="dense", segments=2),
    Case("whole_tiles", b=2, h=2, g=1, n=64, m=64, d=64, e=64, kind="pair", is_causal=True),
    Case("two_rows", **(SIZES | {"n": 2, "m": 70}), kind="key", is_causal=True, lengths=(70, 33)),
)
BY_NAME = {case.name: case for case in CASES}


def put(array, place, value):
    """A copy with a value at one place."""
    changed = array.copy()
    changed[place] = value
    return changed


def poisons(x):
    """Name -> the inputs of a case with broken numbers in them."""
    n, m = x.q.shape[2], x.k.shape[2]
    found = {
        "q": replace(x, q=put(x.q, (0, 1, n // 2), np.nan)),
        "q inf": replace(x, q=put(x.q, (1, 0, n - 1, 2), np.inf)),
        "k": replace(x, k=put(x.k, (0, 0, m // 3), np.nan)),
        "k inf": replace(x, k=put(x.k, (0, 0, m - 2, 1), -np.inf)),
        "v": replace(x, v=put(x.v, (0, 0, m // 2, 3), np.nan)),
        "v inf, padding": replace(x, v=put(x.v, (1, 0, m - 1), np.inf)),
        "k, padding": replace(x, k=put(x.k, (1, 0, slice(m - 8, m)), np.nan)),
        "everything": replace(x, q=x.q * np.nan, k=x.k * np.nan, v=x.v * np.inf),
        "do": replace(x, do=put(x.do, (0, 0, n - 1, 1), np.nan)),
    }
    if x.case.kind is not None:
        last = x.table.shape[-1] - 1
        found["table -inf"] = replace(x, table=put(x.table, (..., last), -np.inf))
        found["table all -inf"] = replace(x, table=np.full_like(x.table, -np.inf))
        found["table nan"] = replace(x, table=put(x.table, (..., last), np.nan))
        found["table inf"] = replace(x, table=put(x.table, (..., last), np.inf))
    return found


def truth(x):
    """Output, lse and gradients in float64."""
    keywords = x.keywords(Bias, ReferenceRope, np.asarray)
    with np.errstate(all="ignore"):
        o, lse = reference(x.q, x.k, x.v, return_lse=True, **keywords)
        found = attention_backward(x.do, x.q, x.k, x.v, dlse=x.dlse, **keywords)
    return [y for y in (o, lse, found.dq, found.dk, found.dv, found.dtable) if y is not None]


def answers(x, impl, device, dtype=dtypes.float32):
    """Output, lse and gradients of one implementation."""

    def tensor(array, kind=dtypes.float32):
        return Tensor(np.asarray(array, np.float32), device=device).cast(kind).realize()

    def integers(array):
        return Tensor(np.asarray(array), device=device).realize()

    q, k, v, do = (tensor(array, dtype) for array in (x.q, x.k, x.v, x.do))
    dlse, table = tensor(x.dlse), tensor(x.table)
    keywords = x.keywords(MotifBias, Rope, integers, table=table)
    o, lse = attention(q, k, v, impl=impl, return_lse=True, **keywords)
    wanted = [q, k, v] if keywords["bias"] is None else [q, k, v, table]
    loss = (o.cast(dtypes.float32) * do.cast(dtypes.float32)).sum() + (lse * dlse).sum()
    results = [o, lse, *loss.gradient(*wanted)]
    Tensor.realize(*results)
    return [y.float().numpy().astype(np.float64) for y in results]


def faults(x, found, tolerance=1e-4):
    """What differs: numbers that are not NaN where the truth is, or are where it is not, or are wrong."""
    said = []
    for name, ours, true in zip(NAMES, found, truth(x), strict=False):
        is_nan = np.isnan(true)
        if (np.isnan(ours) != is_nan).any():
            lost, leaked = (is_nan & ~np.isnan(ours)).sum(), (~is_nan & np.isnan(ours)).sum()
            said.append(f"{name}: {lost} of {is_nan.sum()} NaN are hidden, {leaked} leak")
            continue
        finite = np.isfinite(true)
        if (ours[~finite & ~is_nan] != true[~finite & ~is_nan]).any():
            said.append(f"{name}: infinities differ")
        error = np.abs(ours[finite] - true[finite]).max(initial=0)
        if error > tolerance * (1 + np.abs(true[finite]).max(initial=0)):
            said.append(f"{name}: error {error:.3g}")
    return said
