"""Gradient check: the largest relative error of every gradient, for every kind of motif bias.

    python bench/kernels/gradcheck.py [--impl lazy] [--device CPU] [--every-case]

Two comparisons per kind: the analytic gradients of the float64 reference against central differences of its forward,
and the float32 gradients of an implementation against the reference on the same rounded inputs. An error is
`max |found - true| / max |true|` over the array, the largest over the cases of the kind. One JSON line per kind and
comparison goes to bench/results/gradcheck.jsonl.
"""

from __future__ import annotations

import argparse

import numpy as np
from tinygrad import Tensor

import gattn_tg
from bench.record import write
from gattn_tg.ops.attention.cases import CASES, KINDS, SWAP, Case, Inputs
from gattn_tg.reference import Bias, Rope, attention, attention_backward, gradient

PARAMETERS = ("q", "k", "v", "table")
NO_KIND = "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--impl", default="lazy", help="implementation to check: lazy, loops, ... or auto")
    parser.add_argument("--device", default="CPU")
    parser.add_argument("--every-case", action="store_true", help="all of ops/attention/cases.py, not three a kind")
    a = parser.parse_args()
    print("max relative error of every gradient")
    print(f"{'kind':<8}{'dq':>9}{'dk':>9}{'dv':>9}{'dtable':>9}   comparison: cases")
    for kind in (NO_KIND, *KINDS):
        report(kind, "reference vs differences", {case.name: differences(case) for case in small(kind)})
    for kind in (NO_KIND, *KINDS):
        chosen = [case for case in CASES if (case.kind or NO_KIND) == kind]
        if not a.every_case:
            named = ("plain", "causal_more_keys", "rope_far", kind, f"{kind}_per_head", f"{kind}_more_keys")
            chosen = [case for case in chosen if case.name in named]
        errors = {case.name: implementation(case, a.impl, a.device) for case in chosen}
        report(kind, f"{a.impl} float32 on {a.device} vs reference", errors)


def small(kind: str) -> list[Case]:
    """Two calls small enough to move every element: one bare, one with everything switched on."""
    bare = Case(f"{kind}_bare", n=5, m=5, d=4, e=3, kind=None if kind == NO_KIND else kind)
    everything = Case(
        f"{kind}_everything", h=4, g=2, n=5, m=7, d=4, e=3, kind=bare.kind, per_head=True,
        complement=SWAP if kind in ("key", "pair", "same", "ordered") else None, rope={"interleaved": True},
        positions="near", is_causal=True, window_size=(4, None), lengths=(7, 4), segments=2,
    )
    return [bare, everything]


def true_gradients(x: Inputs) -> dict[str, np.ndarray]:
    """Analytic gradients of sum(do * o) in float64."""
    found = attention_backward(x.do, x.q, x.k, x.v, **x.keywords(Bias, Rope, np.asarray))
    return {name: getattr(found, f"d{name}") for name in PARAMETERS if getattr(found, f"d{name}") is not None}


def differences(case: Case) -> dict[str, float]:
    """Error of the analytic gradients against central differences, element by element."""
    x = case.inputs()

    def loss(name: str, value: np.ndarray) -> float:
        arrays = {"q": x.q, "k": x.k, "v": x.v, "table": x.table, name: value}
        keywords = x.keywords(Bias, Rope, np.asarray, table=arrays["table"])
        return float(np.sum(x.do * attention(arrays["q"], arrays["k"], arrays["v"], **keywords)))

    analytic = true_gradients(x)
    moved = {name: gradient(lambda value, name=name: loss(name, value), getattr(x, name)) for name in analytic}
    return relative(analytic, moved)


def implementation(case: Case, impl: str, device: str) -> dict[str, float]:
    """Error of the float32 gradients of an implementation against the reference."""
    x = case.inputs().rounded(lambda array: array.astype(np.float32).astype(np.float64))

    def tensor(array: np.ndarray) -> Tensor:
        return Tensor(array.astype(np.float32) if array.dtype == np.float64 else array, device=device).realize()

    q, k, v, table, do = (tensor(array) for array in (x.q, x.k, x.v, x.table, x.do))
    keywords = x.keywords(gattn_tg.MotifBias, gattn_tg.Rope, tensor, table=table)
    true = true_gradients(x)
    inputs = dict(zip(PARAMETERS, (q, k, v, table), strict=True))
    found = (gattn_tg.attention(q, k, v, impl=impl, **keywords) * do).sum().gradient(*(inputs[name] for name in true))
    Tensor.realize(*found)
    return relative({name: g.numpy() for name, g in zip(true, found, strict=True)}, true)


def relative(found: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> dict[str, float]:
    """max |found - true| / max |true| of every gradient.

    Where a query sees one key only, dq and dk are zero by cancellation; they are measured against the largest
    gradient of the call instead.
    """
    size = {name: float(np.max(np.abs(g))) for name, g in true.items()}
    largest = max(size.values())
    return {
        name: float(np.max(np.abs(found[name] - true[name]))) / (s if s > 1e-12 * largest else largest)
        for name, s in size.items()
    }


def report(kind: str, comparison: str, errors: dict[str, dict[str, float]]) -> None:
    """Prints one row of the table, the largest error over the cases, and keeps it as a JSON line."""
    worst = {
        name: max(error[name] for error in errors.values())
        for name in PARAMETERS
        if all(name in error for error in errors.values())
    }
    numbers = "".join(f"{worst[name]:9.1e}" if name in worst else f"{'-':>9}" for name in PARAMETERS)
    print(f"{kind:<8}{numbers}   {comparison}: {' '.join(errors)}", flush=True)
    write("gradcheck", {"kind": kind, "comparison": comparison, "cases": list(errors),
                        "max_relative_error": {f"d{name}": value for name, value in worst.items()}})


if __name__ == "__main__":
    main()
