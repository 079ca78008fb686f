"""Runs degenerate calls of attention: `DEV=CPU python degenerate.py IMPLEMENTATION [NAME...]`, in its own process.

Where simplification leaves an operand of a kernel unused (a scale of 0, a table of one entry, one base), a wrong order
of arguments would end the process. Prints one JSON line a case: its name, and what broke the promise, or nothing.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import promise
from tinygrad import Tensor, dtypes

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.ops.attention.cases import Case

CASES = (
    *(Case(f"{kind}_one_entry", kind=kind, t=1, n_motifs=3 if kind == "between" else 1) for kind in KINDS),
    *(Case(f"{kind}_one_base", kind=kind, b=1, n=1, m=1) for kind in ("between", "ordered", "dense")),
    Case("one_entry_one_base", kind="between", t=1, b=1, h=1, g=1, n=1, m=1, d=1, e=1),
    Case("ordered_one_key", kind="ordered", n=32, m=1, rope={}),
    Case("between_one_query", kind="between", n=1, m=33, is_causal=True),
    Case("no_scale", scale=0.0),
    Case("no_scale_ordered", scale=0.0, kind="ordered", rope={}, is_causal=True),
    Case("no_scale_one_entry", scale=0.0, kind="pair", t=1, per_head=True),
    Case("nothing_seen", kind="key", t=1, lengths=(0, 0)),
    Case("itself_only", kind="same", t=1, window_size=(0, 0)),
    Case("slopes_one_base", b=1, n=1, m=1, slopes=True),
    Case("width_one", d=1, e=1, kind="dense", t=1),
)
BY_NAME = {case.name: case for case in CASES}


def answers(case: Case, x, impl: str) -> promise.Answers:
    """Output, lse and all gradients of one call."""

    def tensor(array):
        return Tensor(np.asarray(array, np.float32)).realize()

    q, k, v, do, dlse, table = map(tensor, (x.q, x.k, x.v, x.do, x.dlse, x.table))
    keywords = x.keywords(MotifBias, Rope, lambda array: Tensor(np.asarray(array)).realize(), table=table)
    o, lse = attention(q, k, v, impl=impl, return_lse=True, **keywords)
    inputs = [q, k, v] if case.kind is None else [q, k, v, table]
    seen = (lse > -float("inf")).where(lse, 0.0)
    gradients = ((o * do).sum() + (seen * dlse).sum()).gradient(*inputs)
    arrays = [y.cast(dtypes.float32).numpy().astype(np.float64) for y in (o, lse, *gradients)]
    return promise.Answers(*arrays, *([None] if case.kind is None else []))


def main(impl: str, *names: str) -> None:
    for name in names:
        case = BY_NAME[name]
        x = case.inputs().rounded(promise.rounding("float32"))
        got, true = answers(case, x, impl), promise.truth(x, x.dlse)
        broke = []
        for what in promise.NAMES:
            y, z = getattr(got, what), getattr(true, what)
            # The promise compares with the error of a plain float32 path, root mean square over thousands of numbers.
            # Here there are a few, often one: the plain path may hit it exactly, and then no other order of sums may
            # differ. So these cases hold to 1e-5, a hundred roundings of float32; a wrong operand is off by far more.
            largest = 0.0 if z is None else np.abs(z[np.isfinite(z)]).max(initial=1.0)
            if z is not None and not np.allclose(y, z, rtol=1e-5, atol=1e-5 * largest):
                broke.append(what)
        print(json.dumps({"name": name, "broke": broke}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(sys.argv[2:] or BY_NAME))
