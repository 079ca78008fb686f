"""The promise on accuracy, and the plain unfused path that it is stated against.

Against float64 on the same rounded inputs, the error of any implementation is at most twice the error of the plain
path in the same dtype, plus eps times the largest true value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.reference import Bias, Rope, attention, attention_backward
from gattn_tg.reference.backward import summed_over_group
from gattn_tg.reference.bias import NO_BIAS, table_index, tie
from gattn_tg.reference.forward import distances, per_query_head, spread
from gattn_tg.reference.rope import rotate
from gattn_tg.reference.visible import coordinates, visible

EPS = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
DRAWS = 32
NAMES = ("o", "lse", "dq", "dk", "dv", "dtable")
_ERRORS = {}  # what `plain_error` found


def rounding(dtype):
    """Gives the function that rounds float64 to the nearest values of a dtype, kept in float64."""

    def to_bfloat16(x):
        bits = np.asarray(x, np.float32).view(np.uint32)
        # round to nearest, ties to even: add half of the last kept bit, less one when that bit is even
        kept = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
        return np.where(np.isfinite(x), kept.view(np.float32), x).astype(np.float64)

    if dtype == "bfloat16":
        return to_bfloat16
    return lambda x: np.asarray(x).astype(dtype).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Answers:
    """Output, log-sum-exp and gradients of one call."""

    o: np.ndarray
    lse: np.ndarray
    dq: np.ndarray
    dk: np.ndarray
    dv: np.ndarray
    dtable: np.ndarray | None


def truth(x, dlse=None):
    """Computes a call of `ops.attention.cases.Inputs` in float64."""
    keywords = x.keywords(Bias, Rope, np.asarray)
    o, lse = attention(x.q, x.k, x.v, return_lse=True, **keywords)
    gradients = attention_backward(x.do, x.q, x.k, x.v, dlse=dlse, **keywords)
    return Answers(o, lse, gradients.dq, gradients.dk, gradients.dv, gradients.dtable)


def plain(x, dtype, dlse=None):
    """Computes the same call step by step in a dtype: float32 arithmetic, every stored array rounded to the dtype.

    This is `softmax(scale * q @ k.T + bias) @ v` as one writes it with tensors, the softmax itself in float32.
    """
    keep = rounding(dtype)

    def kept(array):
        return keep(array).astype(np.float32)

    keywords = x.keywords(Bias, Rope, np.asarray)
    bias, rope, scale = keywords["bias"], keywords["rope"], keywords["scale"]
    (b, h, n, d), m, g = x.q.shape, x.k.shape[2], x.k.shape[1]
    scale = np.float32(d**-0.5 if scale is None else scale)
    at_q, at_k = coordinates(keywords["positions"], (b, n, m))
    q, k, v, do = kept(turned(x.q, rope, at_q)), kept(turned(x.k, rope, at_k)), kept(x.v), kept(x.do)
    k_of_query, v_of_query = per_query_head(k, h), per_query_head(v, h)

    s = kept(scale * kept(q @ k_of_query.swapaxes(-1, -2)))
    if keywords["slopes"] is not None:
        s = kept(s - kept(keywords["slopes"][:, None, None] * distances(n, m).astype(np.float32)))
    index = None if bias is None else table_index(bias, (b, n, m), at_q, at_k)
    if index is not None:
        s = kept(s + kept(spread(bias, index)))
    masks = {name: keywords[name] for name in ("is_causal", "window_size", "lengths", "segments", "anchors")}
    seen = np.broadcast_to(visible((b, n, m), **masks)[:, None], s.shape)
    largest = np.max(s, axis=-1, keepdims=True, where=seen, initial=np.float32(-1e30))
    weight = np.where(seen, np.exp(np.where(seen, s - largest, np.float32(0))), np.float32(0))
    total = weight.sum(-1, keepdims=True)
    p = kept(weight / np.where(total > 0, total, np.float32(1)))
    lse = np.where(total > 0, largest + np.log(np.where(total > 0, total, np.float32(1))), np.float32(-np.inf))
    o = kept(p @ v_of_query)

    dp = kept(do @ v_of_query.swapaxes(-1, -2))
    delta = (p * dp).sum(-1, keepdims=True)
    ds = kept(p * (dp - delta + (np.float32(0) if dlse is None else dlse.astype(np.float32)[..., None])))
    dq = kept(turned(kept(scale * kept(ds @ k_of_query)), rope, at_q, inverse=True))
    dk = kept(summed_over_group(kept(ds.swapaxes(-1, -2) @ q), g))
    dk = kept(turned(kept(scale * dk), rope, at_k, inverse=True))
    dv = kept(summed_over_group(kept(p.swapaxes(-1, -2) @ do), g))
    dtable = None if index is None else table_sums(bias, index, ds)
    return Answers(o, lse[..., 0], dq, dk, dv, dtable)


def turned(x, rope, positions, inverse=False):
    """Rotates in float32, with the exact angles that the semantics ask for."""
    return rotate(x.astype(np.float32), rope, positions, inverse)


def table_sums(bias, index, ds):
    """Adds dS up per table entry in float32, one pair of bases after the other."""
    h = ds.shape[1]
    inner = 2 if bias.kind in ("pair", "ordered") else 1
    per_head = np.zeros((h, bias.table.shape[-1] ** inner), np.float32)
    used = np.broadcast_to((index != NO_BIAS)[:, None], ds.shape)
    heads = np.broadcast_to(np.arange(h)[:, None, None], ds.shape)
    np.add.at(per_head, (heads[used], np.broadcast_to(index[:, None], ds.shape)[used]), ds[used])
    total = per_head if bias.table.ndim > inner else per_head.sum(0)
    return tie(bias.kind, total.reshape(bias.table.shape), bias.complement)


def check(answers, case, x, dtype, dlse=None):
    """Fails with the first array of `answers`, computed from the inputs x of a case, that breaks the promise."""
    true, allowed = truth(x, dlse), plain_error(case, dtype, dlse is not None)
    for name in NAMES:
        answer, expected = getattr(answers, name), getattr(true, name)
        if expected is None:
            continue
        assert answer.shape == expected.shape, f"{name}: shape {answer.shape} instead of {expected.shape}"
        assert not np.isnan(answer).any(), f"{name} has NaN"
        largest, error = distance(answer, expected)
        bound = (2 * allowed[name] + EPS[dtype]) * largest
        assert error <= bound, f"{name}: error {error:.3g} is more than the promised {bound:.3g} ({dtype})"


def distance(answer, expected):
    """Gives the largest true value and the largest absolute error; infinities must agree exactly."""
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(answer[~finite], expected[~finite])
    largest = np.max(np.abs(expected[finite]), initial=0.0)
    return largest, np.max(np.abs(answer[finite] - expected[finite]), initial=0.0)


def plain_error(case, dtype, with_dlse):
    """Gives the error of the plain path per array, relative to the largest true value.

    It is the largest over several draws of the inputs: of a table with five entries a single draw tells little.
    """
    key = repr(case), dtype, with_dlse  # the same for every implementation
    if key not in _ERRORS:
        _ERRORS[key] = drawn_error(case, dtype, with_dlse)
    return _ERRORS[key]


def drawn_error(case, dtype, with_dlse):
    """What `plain_error` gives, drawn and computed."""
    worst = dict.fromkeys(NAMES, 0.0)
    for seed in range(DRAWS):
        x = case.inputs(seed).rounded(rounding(dtype))
        dlse = x.dlse if with_dlse else None
        ours, true = plain(x, dtype, dlse), truth(x, dlse)
        for name in NAMES:
            if getattr(true, name) is None:
                continue
            largest, error = distance(getattr(ours, name), getattr(true, name))
            worst[name] = max(worst[name], error / largest if largest else 0.0)
    return worst
