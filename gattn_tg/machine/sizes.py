"""The measured sizes of the CPU kernels: `plan.toml` beside this file, and before it the user's own file.

Files are read once, when the first kernel is built. `kernels/loops/units.py` makes shapes from these sizes.
"""

from __future__ import annotations

import functools
import os.path
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gattn_tg.errors import ConfigError
from gattn_tg.machine import toolchain

PACKAGE = Path(__file__).with_name("plan.toml")
WIDTHS = (128, 256, 512)  # bits of a vector register
REGISTERS = (16, 32)  # of them
STAGES = {
    "tile": ("rows", "lanes"),
    "forward": ("panel_bytes",),
    "backward": ("chunk_rows",),
    "gemm": ("rows", "lanes"),
}
BY_WIDTH = ("forward", "backward")  # stages whose rows name a head width
# What kernels can be built with; tiles cover blocks of 4 rows, and shorter lanes are not vectorised.
ALLOWED: dict[tuple[str, str], Iterable[int]] = {
    ("tile", "rows"): (1, 2, 4),
    ("tile", "lanes"): (16, 32, 64),
    ("forward", "panel_bytes"): range(1024, 1024**3 + 1),
    ("backward", "chunk_rows"): range(4, 4097, 4),
    ("gemm", "rows"): range(1, 17),
    ("gemm", "lanes"): range(16, 257, 16),
}


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Args:
        bits: Width of the vector registers.
        stage: One of STAGES.
        sizes: The numbers that STAGES names.
        d: Head width that it was measured with; 0 where it does not matter.
        gflops: Speed measured with it; None where nobody measured.
        origin: "package" or "user".
        registers: For machines with so many vector registers; 0 for all.
    """

    bits: int
    stage: str
    sizes: tuple[int, ...]
    d: int = 0
    gflops: float | None = None
    origin: str = "package"
    registers: int = 0

    @property
    def key(self) -> tuple[int, str, int, int]:
        """What a row of the user's file replaces."""
        return self.bits, self.stage, self.d, self.registers


def user_file() -> Path:
    """The user's table: GATTN_PLAN, else gattn_tg/plan.toml in XDG_CACHE_HOME or ~/.cache; it need not exist."""
    if named := toolchain.variable("GATTN_PLAN"):
        return Path(named)
    cache = toolchain.variable("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(cache) / "gattn_tg" / "plan.toml"


def load(path: Path, origin: str) -> tuple[Row, ...]:
    """The rows of a file.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or has a row that no kernel can be built with.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"plan: {path}: expected a TOML file with rows of sizes, but it does not read ({error}); "
            "repair or remove it"
        ) from error
    if unknown := sorted(set(content) - {"row"}):
        raise _wrong(path, unknown[0], "only [[row]]", "this key")
    rows = content.get("row", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _wrong(path, "row", "[[row]] tables", repr(rows))
    return tuple(_row(path, f"row {i}", row, origin) for i, row in enumerate(rows, 1))


def text(rows: Iterable[Row]) -> str:
    """The rows as a file that `load` reads."""
    out = ["# Written by `gattn bench` where it tunes; remove this file to return to the sizes of the package."]
    for row in rows:
        out += ["", "[[row]]", f"bits = {row.bits}", f'stage = "{row.stage}"']
        out += [f"registers = {row.registers}"] * (row.registers > 0)
        out += [f"d = {row.d}"] * (row.stage in BY_WIDTH)
        out += [f"{name} = {size}" for name, size in zip(STAGES[row.stage], row.sizes, strict=True)]
        out += [f"gflops = {row.gflops:.1f}"] if row.gflops is not None else []
    return "\n".join(out) + "\n"


@functools.cache
def table() -> tuple[Row, ...]:
    """All rows; those of the user's file stand for those of the package with the same bits, stage and d.

    Raises:
        ConfigError: The user's file has a mistake.
    """
    rows = {row.key: row for row in load(PACKAGE, "package")}
    path = user_file()
    if _is_there(path):
        rows |= {row.key: row for row in load(path, "user")}
    return tuple(rows.values())


def row(stage: str, d: int = 0, bits: int | None = None) -> Row:
    """The row in use for a stage: the user's before those of the package, and those for these registers first.

    Args:
        stage: One of STAGES.
        d: Head width, for the stages that name one.
        bits: Width of the vector registers; None is this machine's.
    """
    bits = toolchain.vector_bits() if bits is None else bits
    registers = (0, toolchain.vector_registers())
    found = [r for r in table() if (r.bits, r.stage) == (bits, stage) and r.registers in registers]
    found.sort(key=lambda r: (r.d, r.origin != "user", -r.registers))
    return next((r for r in found if r.d >= d), found[-1])


def panel_bytes(width: int) -> int:
    """Bytes of rows of queries that walk over the keys together in the forward pass, for a head width."""
    return row("forward", width).sizes[0]


def chunk_rows(d: int) -> int:
    """Rows of queries that the backward pass takes at a time, for a head width."""
    return row("backward", d).sizes[0]


def tile() -> tuple[int, int]:
    """Rows and lanes of an attention product that are summed at once."""
    rows, lanes = row("tile").sizes
    return rows, lanes


def gemm_tile(bits: int) -> tuple[int, int]:
    """Rows and lanes of the tile of a matrix product."""
    rows, lanes = row("gemm", bits=bits).sizes
    return rows, lanes


def report() -> dict[str, object]:
    """The rows for this machine, as plain values: the user's file, whether it is there, what is wrong with it."""
    path = user_file()
    out: dict[str, object] = {"user_file": str(path), "user_file_exists": _is_there(path), "error": "", "rows": []}
    try:
        registers = (0, toolchain.vector_registers())
        mine = [r for r in table() if r.bits == toolchain.vector_bits() and r.registers in registers]
    except ConfigError as error:
        return {**out, "error": str(error)}
    rows = [
        {
            "stage": r.stage,
            "d": r.d,
            **dict(zip(STAGES[r.stage], r.sizes, strict=True)),
            "gflops": r.gflops,
            "from": r.origin,
        }
        for r in mine
    ]
    return {**out, "rows": rows}


def _is_there(path: Path) -> bool:
    """Whether there is something of this name; also where nobody may look, so that `load` tells why it cannot read."""
    try:
        return path.exists()
    except OSError:
        return True


def _row(path: Path, where: str, given: dict[str, object], origin: str) -> Row:
    """A checked row."""

    def whole(key: str, allowed: Iterable[int], words: str) -> int:
        value = given.get(key)
        if type(value) is not int or value not in allowed:
            raise _wrong(path, f"{where}: {key}", words, "nothing" if value is None else repr(value))
        return value

    stage = given.get("stage")
    if not isinstance(stage, str) or stage not in STAGES:
        raise _wrong(path, f"{where}: stage", f"one of {', '.join(STAGES)}", repr(stage))
    names = STAGES[stage]
    known = {"bits", "registers", "stage", "gflops", *names, *(["d"] if stage in BY_WIDTH else [])}
    if unknown := sorted(set(given) - known):
        raise _wrong(path, f"{where}: {unknown[0]}", f"only {', '.join(sorted(known))} in stage {stage}", "this key")
    bits = whole("bits", WIDTHS, f"one of {', '.join(map(str, WIDTHS))}")
    registers = whole("registers", REGISTERS, "16 or 32") if "registers" in given else 0
    d = whole("d", range(1, 4097), "a whole number from 1 to 4096") if stage in BY_WIDTH else 0
    sizes = tuple(whole(name, ALLOWED[stage, name], _words(ALLOWED[stage, name])) for name in names)
    gflops = given.get("gflops")
    if gflops is not None and (isinstance(gflops, bool) or not isinstance(gflops, int | float) or not gflops > 0):
        raise _wrong(path, f"{where}: gflops", "a number above 0", repr(gflops))
    return Row(bits, stage, sizes, d, None if gflops is None else float(gflops), origin, registers)


def _words(allowed: Iterable[int]) -> str:
    if isinstance(allowed, range):
        step = f" in steps of {allowed.step}" if allowed.step > 1 else ""
        return f"a whole number from {allowed.start} to {allowed[-1]}{step}"
    return f"one of {', '.join(map(str, allowed))}"


def _wrong(path: Path, key: str, required: str, came: str) -> ConfigError:
    return ConfigError(f"plan: {path}: {key}: expected {required}, got {came}; repair or remove the file")
