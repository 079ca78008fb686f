"""What this machine can do at most, and which share of it every kernel reaches.

    python bench/kernels/roofline.py [--threads 1 2] [--only gemm attention ...] [--dry]

Ceilings: multiply-adds on registers in float32, and in pairs of bfloat16 where the CPU has instructions for those (on
Intel's processors without AMX they are slower than float32, and no kernel uses them); bytes per second of reading, and
of reading and writing, far more memory than the caches hold. Kernels that multiply are beside the ceiling of their
precision, kernels that wait for memory beside that of memory. Operations count once for every product of matrices that
is needed; what is computed twice does not count twice. One JSON line per ceiling and kernel goes to
bench/results/roofline.jsonl.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tinygrad import Tensor, TinyJit, UOp, dtypes

from bench.record import alternate, summary, write
from gattn_tg import MotifBias, attention
from gattn_tg.cli.computer.bench import candidates
from gattn_tg.kernels.pairs import unit as pair_unit
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.machine import pairs, threads
from gattn_tg.ops.adamw import adamw
from gattn_tg.ops.convolution import convolution
from gattn_tg.ops.launch import Output, launch
from gattn_tg.ops.linear import linear
from gattn_tg.ops.norm import layer_norm

DEPTH, TURNS = 96, 20_000  # operands of the kernels on registers fit the first-level cache
FAR_BYTES, LANES = 1 << 29, 64
MOTIFS = 16


@dataclass(frozen=True)
class Work:
    """A kernel: its name and sizes, what limits it, how much of that it needs, and how to run it."""

    kernel: str
    case: str
    limit: str
    amount: float
    run: Callable[[], object]


def numbers(*shape: int, dtype: Any = dtypes.float32) -> Tensor:
    """Normal numbers in memory."""
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return Tensor(x, device="CPU").cast(dtype).contiguous().realize()


def multiply_adds(rows: int, lanes: int) -> float:
    """Operations per second in float32, on registers that hold so many sums; a multiply-add is two."""
    parts = threads.count()

    def spin(c: UOp, a: UOp, b: UOp) -> UOp:
        body = Body(f"peak_{rows}x{lanes}")
        acc = body.array(rows, lanes)
        with body.units(parts, parts) as (_, unit):
            with body.loops(rows, lanes) as (i, j):
                body.write(acc, (i, j), 0.0)
            with body.loops(TURNS, DEPTH, rows, lanes) as (_, x, i, j):
                body.write(acc, (i, j), body.read(acc, i, j) + element(a, i, x) * element(b, x, j))
            with body.loops(rows, lanes) as (i, j):
                body.write(c, (unit, i, j), body.read(acc, i, j))
        return body.finish()

    a, b = numbers(rows, DEPTH), numbers(DEPTH, lanes)
    run = TinyJit(lambda: launch(spin, [Output((parts, rows, lanes), dtypes.float32)], [a, b])[0].realize())
    return 2.0 * parts * rows * lanes * DEPTH * TURNS / fastest(run)


def paired(name: str) -> float:
    """Operations per second of the CPU's instructions for pairs of bfloat16, operands in the nearest cache."""
    rows, lanes = pair_unit.size(name)
    parts = threads.count()

    def spin(c: UOp, a: UOp, b: UOp) -> UOp:
        body = Body(f"peak_pairs_{rows}x{lanes}")
        with body.units(parts, parts) as (_, unit), body.loop(TURNS) as _:
            sums = pair_unit.Place(c, (unit, 0, 0), lanes)
            places = (pair_unit.Place(a, (0, 0), 2 * DEPTH), pair_unit.Place(b, (0, 0), lanes))
            pair_unit.multiply(body, name, sums, *places, rows, lanes, DEPTH)
        return body.finish()

    a, b = numbers(rows, 2 * DEPTH, dtype=dtypes.bfloat16), Tensor.zeros(DEPTH, lanes).contiguous().realize()
    run = TinyJit(lambda: launch(spin, [Output((parts, rows, lanes), dtypes.float32)], [a, b])[0].realize())
    return 2.0 * parts * rows * lanes * 2 * DEPTH * TURNS / fastest(run)


def far_memory(writes: bool) -> float:
    """Bytes per second of reading, or of reading and writing."""
    rows, parts = FAR_BYTES // 4 // LANES, threads.count()

    def walk(out: UOp, x: UOp) -> UOp:
        body = Body("copy" if writes else "read")
        acc = body.array(8, LANES)
        with body.units(parts, parts) as (part, _):
            with body.loops(8, LANES) as (i, j):
                body.write(acc, (i, j), 0.0)
            with body.loops(rows // 8 // parts, 8, LANES) as (r, i, j):
                row = (part * (rows // 8 // parts) + r) * 8 + i
                if writes:
                    body.write(out, (row, j), element(x, row, j))
                else:
                    body.write(acc, (i, j), body.read(acc, i, j) + element(x, row, j))
            if not writes:
                with body.loops(8, LANES) as (i, j):
                    body.write(out, (part * 8 + i, j), body.read(acc, i, j))
        return body.finish()

    x = Tensor(np.ones((rows, LANES), np.float32), device="CPU").realize()
    shape = (rows, LANES) if writes else (8 * parts, LANES)
    run = TinyJit(lambda: launch(walk, [Output(shape, dtypes.float32)], [x])[0].realize())
    return (2 if writes else 1) * FAR_BYTES / fastest(run)


def fastest(run: Callable[[], object]) -> float:
    """Seconds of the fastest of some runs."""
    return float(alternate({"peak": run}, rounds=6)["peak"].min())


def ceilings() -> dict[str, float]:
    """The most that the threads in use can do, per second."""
    # of several tiles: one that does not fit the registers would hide in a ceiling of its own that it is slow
    found = {"float32": max(multiply_adds(*tile) for tile in candidates("gemm")), "read": far_memory(writes=False),
             "copy": far_memory(writes=True)}
    if names := [name for name in (pair_unit.chosen(), *pairs.available()) if name]:
        found["bfloat16"] = paired(names[0])
    return found


def gemms(limit: str) -> Iterator[Work]:
    for m, n, k in ((512, 512, 512), (1024, 1024, 1024), (4096, 256, 1024)):
        x, w = (numbers(*shape, dtype=getattr(dtypes, limit)) for shape in ((m, k), (n, k)))
        yield Work("gemm", f"{m} x {n} x {k}", limit, 2.0 * m * n * k, jitted(lambda x=x, w=w: linear(x, w)))


def attentions(limit: str) -> Iterator[Work]:
    for h, n, d in ((8, 1024, 64), (8, 4096, 64), (4, 512, 16)):
        q, k, v, do = (numbers(1, h, n, d, dtype=getattr(dtypes, limit)) for _ in range(4))
        ids = Tensor(np.random.default_rng(0).integers(0, MOTIFS, (1, n)).astype(np.uint8), device="CPU").realize()
        table = numbers(MOTIFS, MOTIFS)

        def forward(q=q, k=k, v=v, ids=ids, table=table) -> Tensor:  # type: ignore[no-untyped-def]
            return attention(q, k, v, bias=MotifBias.pair(table, ids), impl="loops")

        def both(forward=forward, do=do, given=(q, k, v, table)) -> list[Tensor]:  # type: ignore[no-untyped-def]
            o = forward()
            return [o, *o.gradient(*given, gradient=do)]

        product = 2.0 * h * n * n * d
        case = f"{h} heads, n {n}, d {d}"
        yield Work("attention", case, limit, 2 * product, jitted(forward))
        yield Work("attention with gradients", case, limit, 7 * product, jitted(both))


def convolutions() -> Iterator[Work]:
    b, n, width, size = 8, 2048, 64, 15
    x, w, bias = numbers(b, n, width), numbers(width, width, size), numbers(width)
    case = f"{b} x {n}, {width} to {width}, {size} wide"
    yield Work("convolution", case, "float32", 2.0 * b * n * width * width * size,
               jitted(lambda: convolution(x, w, bias)))  # fmt: skip


def walks() -> Iterator[Work]:
    """Kernels that wait for memory."""
    rows, width = 1 << 18, 256
    x, weight, bias = numbers(rows, width), numbers(width), numbers(width)
    yield Work("layer norm", f"{rows:,} x {width}", "copy", 8.0 * rows * width,
               jitted(lambda: layer_norm(x, weight, bias)))  # fmt: skip
    b, h, m, d = 4, 8, 16384, 64
    q, k, v = numbers(b, h, 1, d), numbers(b, h, m, d), numbers(b, h, m, d)
    yield Work("decode", f"{b} rows, {h} heads, {m} keys, d {d}", "read", 8.0 * b * h * m * d,
               jitted(lambda: attention(q, k, v, impl="loops")))  # fmt: skip
    n = 1 << 24
    p, g, first, second = (numbers(n) for _ in range(4))
    rate, powers = numbers(1), (numbers(1), numbers(1))

    @TinyJit
    def update() -> list[Tensor]:
        adamw([p], [g], [first], [second], rate, powers)
        return [x.realize() for x in (p, first, second)]

    yield Work("adamw", f"{n:,} parameters", "copy", 28.0 * n, update)


def jitted(function: Callable[[], Tensor | list[Tensor]]) -> Callable[[], object]:
    """A function of tensors that are memory, captured."""

    @TinyJit
    def run() -> list[Tensor]:
        found = function()
        results = found if isinstance(found, list) else [found]
        Tensor.realize(*results)
        return results

    return run


def works(has_pairs: bool) -> Iterator[Work]:
    """All kernels, one after the other, so that the memory of one is free before the next."""
    for limit in ("float32", *["bfloat16"] * has_pairs):
        yield from gemms(limit)
        yield from attentions(limit)
    yield from convolutions()
    yield from walks()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", help="names of kernels")
    parser.add_argument("--dry", action="store_true", help="keep no line")
    a = parser.parse_args()
    for n_threads in a.threads:
        threads.set_threads(n_threads)
        most = ceilings()
        lines: list[dict[str, Any]] = [{"kernel": "ceiling", "case": limit, "limit": limit, "per_s": value}
                                       for limit, value in most.items()]  # fmt: skip
        for work in works(pair_unit.chosen() is not None):  # where pairs are slower than float32, kernels use none
            if a.only and work.kernel not in a.only:
                continue
            times = alternate({"run": work.run}, rounds=15, seconds=1.0)["run"]
            reached = work.amount / float(np.median(times))
            lines.append({"kernel": work.kernel, "case": work.case, "limit": work.limit, "per_s": reached,
                          "share": round(reached / most[work.limit], 3), "times": summary(times)})  # fmt: skip
        for line in lines:
            share = f"{line['share']:.0%} of the ceiling" if "share" in line else ""
            print(f"{n_threads} threads  {line['kernel']:25} {line['case']:28} {line['limit']:9}"
                  f"{line['per_s'] / 1e9:8.1f} G/s  {share}", flush=True)
            if not a.dry:
                write("roofline", {**line, "threads": n_threads, "pairs": pair_unit.chosen()})


if __name__ == "__main__":
    main()
