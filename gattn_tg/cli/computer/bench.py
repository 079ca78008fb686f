"""`gattn bench`: how fast the CPU kernels are here; with --tune, the sizes that make them fastest."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from gattn_tg.cli import output
from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.escaping import CLEAR
from gattn_tg.machine import devices, toolchain
from gattn_tg.machine import sizes as plan_table
from gattn_tg.machine.sizes import STAGES, Row

CANDIDATES: dict[str, tuple[tuple[int, ...], ...]] = {
    "tile": ((4, 64), (2, 64), (4, 32), (2, 32), (4, 16), (2, 16)),
    "forward": ((64 * 1024,), (128 * 1024,), (256 * 1024,)),
    "backward": ((32,), (64,), (128,)),
    "gemm": ((6, 64), (4, 64), (6, 32), (4, 32), (3, 32), (6, 16), (5, 16), (4, 16), (3, 16), (2, 16)),
}
ROUNDS = 3  # turns of every candidate; the fastest counts, since other work on the machine only slows
MARGIN = 1.03  # another candidate must be this much faster than the row in use: less is noise
HOPELESS = 0.5  # a candidate at less than this share of the best is not measured again
CLOSE = 1e-4  # relative; a candidate whose results differ by more is not taken
SECONDS = 300  # longest a measurement may take


@dataclass(frozen=True)
class Speed:
    """What a measurement said: GFLOP/s and a mean of the results, or the error that it ended with."""

    gflops: float = 0.0
    mean: float = 0.0
    error: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Measures the rows in use, or with --tune every candidate, and then writes the winners to the user's file."""
    if arguments.device and arguments.device.split(":")[0].upper() != "CPU":
        raise ConfigError(f"gattn bench: expected the CPU, but --device {arguments.device} came; leave it out")
    toolchain.require()
    path = plan_table.user_file()
    if arguments.tune:
        check(path)
    n_threads = arguments.threads or devices.cores()
    kept = {row.key: row for row in plan_table.table() if row.origin == "user"}
    bits = toolchain.vector_bits()
    if not arguments.json:
        output.say(f"{toolchain.vector_name()}, vectors of {bits} bits, cores used: {n_threads}")
        output.say(f"{'stage':<9} {'d':>4}  {'sizes':<24} {'GFLOP/s':>8}")
    said: list[dict[str, object]] = []
    for stage, d in stages(arguments.d):
        used = replace(plan_table.row(stage, d, bits), d=0 if stage in ("tile", "gemm") else d, gflops=None)
        rows = [used]
        if arguments.tune:
            rows += [replace(used, sizes=s) for s in candidates(stage) if s != used.sizes]
        speeds = measure(rows, kept, d, n_threads, quiet=arguments.json)
        best = winner(rows, speeds)
        if arguments.tune:
            kept[best.key] = best
        for row in rows:
            speed = speeds[row]
            note = speed.error or "wrong results" * is_wrong(speed, speeds[used])
            marks = ["in use"] * (row == used) + ["best"] * (arguments.tune and row.sizes == best.sizes)
            sizes = dict(zip(STAGES[stage], row.sizes, strict=True))
            gflops = None if speed.error else round(speed.gflops, 1)
            said.append({"stage": stage, "d": d, **sizes, "gflops": gflops, "marks": marks, "note": note})
            if not arguments.json:
                words = " ".join(f"{name} {size}" for name, size in sizes.items())
                number = f"{'-':>8}" if gflops is None else f"{gflops:8.1f}"
                tail = ", ".join(filter(None, [*marks, note]))
                output.say(f"{stage:<9} {d or '':>4}  {words:<24} {number}  {tail}".rstrip())
    if arguments.tune:
        with output.table(path) as file:
            file.write(plan_table.text(kept.values()))
    wrote = str(path) if arguments.tune else None
    if arguments.json:
        output.say_json({"vector_bits": bits, "threads": n_threads, "rows": said, "wrote": wrote})
    elif wrote:
        output.say(f"wrote {wrote}; every kernel built from now on takes its sizes from there")
    return 0


def stages(widths: Iterable[int]) -> list[tuple[str, int]]:
    """What is measured, in order: the tile first, since the passes are built from it. Stages without d have 0."""
    wide = sorted(set(widths))
    return [("tile", 64), *(("forward", d) for d in wide), *(("backward", d) for d in wide), ("gemm", 0)]


def candidates(stage: str) -> list[tuple[int, ...]]:
    """The sizes worth a measurement: of tiles, those whose sums, a row of B and a number of A fit the registers."""
    if stage not in ("tile", "gemm"):
        return list(CANDIDATES[stage])
    floats, registers = toolchain.vector_bits() // 32, toolchain.vector_registers()
    return [(rows, lanes) for rows, lanes in CANDIDATES[stage] if (rows + 1) * lanes // floats < registers]


def check(path: Path) -> None:
    """Refuses, before anything is measured, a place where the file cannot be written.

    Raises:
        ConfigError: It is something other than a file, or its folder cannot be made or written.
    """
    where = "gattn bench --tune"
    if path.exists() and not path.is_file():
        raise ConfigError(f"{where}: {path}: expected a plain file, but something else came; set GATTN_PLAN to one")
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.absolute().parent):
            pass
    except OSError as error:
        raise ConfigError(
            f"{where}: {path}: expected a folder that can be written, but it cannot ({error.strerror}); "
            "set GATTN_PLAN to another file"
        ) from error


def measure(
    rows: list[Row], others: dict[tuple[int, str, int, int], Row], d: int, n_threads: int, *, quiet: bool
) -> dict[Row, Speed]:
    """The fastest of some turns of every row, each in a new process.

    Raises:
        UnsupportedError: Not even the first row runs, which is the one in use.
    """
    speeds: dict[Row, Speed] = {}
    live = sys.stderr.isatty() and not quiet
    for turn in range(ROUNDS):
        for i, row in enumerate(rows):
            if live:
                sys.stderr.write(f"{CLEAR}{row.stage} {turn * len(rows) + i + 1}/{ROUNDS * len(rows)} ...")
                sys.stderr.flush()
            before = speeds.get(row)
            if before and (before.error or before.gflops < HOPELESS * max(s.gflops for s in speeds.values())):
                continue
            now = timed({**others, row.key: row}, row.stage, d, n_threads)
            if now.error and i == 0:
                raise UnsupportedError(
                    f"gattn bench: expected stage {row.stage} to run with the sizes in use, but it ends "
                    f"with {now.error}; `gattn doctor` tells what is missing"
                )
            speeds[row] = now if before is None or now.error or now.gflops > before.gflops else before
    if live:
        sys.stderr.write(CLEAR)
        sys.stderr.flush()
    return speeds


def timed(rows: dict[tuple[int, str, int, int], Row], stage: str, d: int, n_threads: int) -> Speed:
    """One measurement with a table, in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.toml"
        path.write_text(plan_table.text(rows.values()), encoding="utf-8")
        command = [sys.executable, "-m", "gattn_tg.cli.computer.speed", stage, str(d), str(n_threads)]
        root = str(Path(__file__).resolve().parents[3])
        search = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        environment = toolchain.environment(GATTN_PLAN=str(path), DEV="CPU", DEBUG="0", PYTHONPATH=search)
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment
            )
        except subprocess.TimeoutExpired:
            return Speed(error=f"no answer within {SECONDS} s")
    if done.returncode:
        return Speed(error=(done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    said = json.loads(done.stdout.splitlines()[-1])
    return Speed(said["gflops"], said["mean"])


def is_wrong(speed: Speed, right: Speed) -> bool:
    """True when the results are not those of the row in use."""
    return not math.isclose(speed.mean, right.mean, rel_tol=CLOSE)


def winner(rows: list[Row], speeds: dict[Row, Speed]) -> Row:
    """The fastest row with right results, with its speed; the first one, in use, unless another is clearly faster."""
    used = speeds[rows[0]]
    good = {row: s.gflops for row in rows if not (s := speeds[row]).error and not is_wrong(s, used)}
    best = max(good, key=lambda row: good[row])
    best = best if good[best] > MARGIN * good[rows[0]] else rows[0]
    return replace(best, gflops=good[best])
