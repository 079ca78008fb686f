"""Random calls of attention against float64: `python tests/random_calls.py 300 [--seed 1] [--impl loops lazy simt]`.

Sizes, kinds, masks, dtypes and rotations are drawn; forward, log-sum-exp and all gradients are compared. A call is a
kernel of its own, so a few of them stand in the suite and hundreds are for an afternoon.
"""

from __future__ import annotations

import argparse
import collections
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from tinygrad import dtypes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import broken_numbers  # beside this file
import promise

from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.ops.attention.cases import Case

DTYPES = ("float32", "float32", "bfloat16", "float16")
# of 1 + the largest true value: results are rounded to the dtype; lse is float32 whatever the dtype
TOLERANCE = {"float32": 1e-4, "float16": 4e-3, "bfloat16": 3e-2}
LSE_TOLERANCE = 2e-5


def draw(seed, most=150):
    """A call and its dtype."""
    random = np.random.default_rng(seed)

    def pick(*choices):
        return choices[random.integers(len(choices))]

    def size():
        return int(min(most, pick(random.integers(1, 9), random.integers(1, most + 1), 1, 31, 32, 33, 64, 65, 128)))

    n = size()
    m = n if random.random() < 0.5 else size()
    kind = pick(None, *KINDS)
    if kind == "between":
        n = min(n, m)
    g, d = int(pick(1, 2)), int(pick(random.integers(2, 70), 8, 16, 32, 64))
    t = int(pick(2, 5, 16))
    is_by_id = kind is not None and KINDS[kind].is_by_id
    case = Case(
        f"random{seed}", b=2, h=g * int(pick(1, 2)), g=g, n=n, m=m, d=d, e=d if random.random() < 0.5 else size(),
        kind=kind, t=t, per_head=bool(random.random() < 0.4),
        complement=tuple(reversed(range(t))) if is_by_id and random.random() < 0.3 else None,
        rope=pick(None, {"rotary_dim": d // 2 * 2, "interleaved": bool(pick(0, 1))}),
        positions=pick("index", "near", "far"), is_causal=bool(random.random() < 0.3),
        window_size=pick(None, None, int(random.integers(0, 40)), (int(random.integers(0, 40)), -1)),
        lengths=pick(None, None, (m, int(random.integers(0, m + 1)))), segments=int(pick(0, 0, 3)),
        scale=pick(None, None, 1.0, -0.7),
    )  # fmt: skip
    dtype = pick(*DTYPES)
    # by the number of the call, not by a draw: the calls that once found a fault stay as they were
    return replace(case, slopes=seed % 5 == 3), dtype


def faults(seed, impl, device="CPU"):
    """What is wrong with one random call; an empty list where nothing is."""
    case, dtype = draw(seed)
    if impl == "simt" and dtype == "float16":  # OpenCL on CPUs does not store it
        dtype = "float32"
    x = case.inputs(seed).rounded(promise.rounding(dtype))
    found, true = broken_numbers.answers(x, impl, device, getattr(dtypes, dtype)), broken_numbers.truth(x)
    said = []
    for name, ours, exact in zip(broken_numbers.NAMES, found, true, strict=False):
        finite = np.isfinite(exact)
        if not np.array_equal(ours[~finite], exact[~finite]) or not np.isfinite(ours[finite]).all():
            said.append(f"{name}: not finite where the truth is, or the other way round")
            continue
        error = np.abs(ours[finite] - exact[finite]).max(initial=0)
        most = (LSE_TOLERANCE if name == "lse" else TOLERANCE[dtype]) * (1 + np.abs(exact[finite]).max(initial=0))
        if error > most:
            said.append(f"{name}: error {error:.3g} is more than {most:.3g} ({dtype}, {case!r})")
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", type=int)
    parser.add_argument("--seed", type=int, default=0, help="of the first call")
    parser.add_argument("--impl", nargs="+", default=["loops", "lazy"], help="take turns; simt runs on OpenCL")
    a = parser.parse_args()
    wrong: collections.Counter[str] = collections.Counter()
    for i, seed in enumerate(range(a.seed, a.seed + a.calls)):
        impl = a.impl[i % len(a.impl)]
        if said := faults(seed, impl, "CL" if impl == "simt" else "CPU"):
            wrong[impl] += 1
            print(f"{impl} seed {seed}: {'; '.join(said)}", flush=True)
        if (i + 1) % 20 == 0:
            print(f"{i + 1} calls, wrong: {dict(wrong)}", flush=True)
    print(f"{a.calls} calls, wrong: {dict(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
