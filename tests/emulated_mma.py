"""Runs cases of attention by matrix units in tinygrad's emulator: `DEV=PYTHON::sm_80 python emulated_mma.py NAME...`.

Prints one JSON line a case: its name, and what broke the promise, or nothing. The emulator takes its instructions from
the environment when tinygrad is imported, hence a process for each kind of device.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import broken_numbers
import numpy as np
import promise
from tinygrad import Tensor, dtypes

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.kernels.mma import plan as mma_plan
from gattn_tg.ops.attention.cases import Case

# More than one block each way, and sizes that fill none.
SMALL = {"b": 1, "h": 2, "g": 1, "n": 17, "m": 19, "d": 16, "e": 16}
CASES = (
    Case("key_causal", **SMALL, kind="key", is_causal=True),
    Case("pair_window", **SMALL, kind="pair", window_size=(6, 3), per_head=True),
    Case("same_lengths", **SMALL, kind="same", lengths=(13,), slopes=True),
    Case("ordered_rope", **SMALL, kind="ordered", is_causal=True, rope={"rotary_dim": 8}, positions="near"),
    Case("between_segments", **SMALL, kind="between", segments=2),
    Case("dense", **SMALL, kind="dense"),
    Case("padded", b=1, h=2, g=2, n=19, m=17, d=20, e=9, kind="key", t=1, is_causal=True),
    Case("wide", b=1, h=1, g=1, n=16, m=20, d=64, e=64, kind="pair", t=16),
)
BY_NAME = {case.name: case for case in CASES}


def answers(x, dtype):
    """Output, lse and all gradients of one call."""

    def tensor(array, kind):
        return Tensor(np.asarray(array, np.float32)).cast(kind).realize()

    q, k, v, do = (tensor(array, getattr(dtypes, dtype)) for array in (x.q, x.k, x.v, x.do))
    dlse, table = (tensor(array, dtypes.float32) for array in (x.dlse, x.table))
    keywords = x.keywords(MotifBias, Rope, lambda array: Tensor(np.asarray(array)).realize(), table=table)
    o, lse = attention(q, k, v, impl="mma", return_lse=True, **keywords)
    inputs = [q, k, v] if keywords["bias"] is None else [q, k, v, table]
    gradients = ((o.float() * do.float()).sum() + (lse * dlse).sum()).gradient(*inputs)
    Tensor.realize(o, lse, *gradients)
    arrays = [y.float().numpy().astype(np.float64) for y in (o, lse, *gradients)]
    return promise.Answers(*arrays, *([None] if keywords["bias"] is None else []))


def faults(case):
    """What is wrong with one call that holds broken numbers everywhere at once, each at a place that few rows see."""
    x = case.inputs().rounded(promise.rounding("bfloat16"))
    n, m = x.q.shape[2], x.k.shape[2]
    x = replace(
        x, q=broken_numbers.put(x.q, (0, 0, 3), np.nan), k=broken_numbers.put(x.k, (0, 0, m - 2), -np.inf),
        v=broken_numbers.put(x.v, (0, 0, m - 1, 0), np.nan), do=broken_numbers.put(x.do, (0, 1, n // 2), np.inf),
    )  # fmt: skip
    a = answers(x, "bfloat16")
    found = [y for y in (a.o, a.lse, a.dq, a.dk, a.dv, a.dtable) if y is not None]
    return "; ".join(broken_numbers.faults(x, found, tolerance=3e-2))


def main(names):
    """The emulator is slow: one warp, the smallest tiles."""
    mma_plan.FORWARD = mma_plan.BY_ROWS = mma_plan.BY_KEYS = "1 1 16 1"
    for name in names:
        if name.endswith("_broken"):
            print(json.dumps({"name": name, "broke": faults(BY_NAME[name.removesuffix("_broken")])}), flush=True)
            continue
        case, dtype = BY_NAME[name.removesuffix("_float32")], "float32" if name.endswith("_float32") else "bfloat16"
        x = case.inputs().rounded(promise.rounding(dtype))
        try:
            promise.check(answers(x, dtype), case, x, dtype, x.dlse)
            said = ""
        except AssertionError as error:
            said = str(error)
        print(json.dumps({"name": name, "broke": said}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
