"""Layouts of the `mma` schedule: the first one of a table that fits the memory and the registers of a device."""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad import Device
from tinygrad.dtype import DType
from tinygrad.renderer.cstyle import CUDARenderer

from gattn_tg.kernels.mma import backward as mma_backward
from gattn_tg.kernels.mma import forward as mma_forward
from gattn_tg.kernels.mma.fragment import Fragment, find
from gattn_tg.kernels.mma.layout import Layout
from gattn_tg.kernels.tiles.score import Score

# warps, tiles of rows a warp owns, columns at a time, whether the next ones are read early; the first that fits
FORWARD = """
4 2 32 1
4 1 64 1
4 1 32 1
4 1 16 1
2 1 16 0
1 1 16 0
"""
BY_ROWS = """
4 1 64 1
4 1 32 1
4 1 32 0
4 1 16 0
2 1 16 0
1 1 16 0
"""
BY_KEYS = """
4 1 32 1
4 1 16 1
4 1 16 0
2 1 16 0
1 1 16 0
"""
MOST_REGISTERS = 168  # words of tiles per thread; the rest of 255 is for addresses and what is on its way


@dataclass(frozen=True)
class Machine:
    """What a device gives to one group of threads.

    Args:
        maker: whose matrix instructions it has.
        arch: what tinygrad compiles for.
        shared_bytes: shared memory.
        is_cuda: its kernels are text for CUDA's compiler.
    """

    maker: str
    arch: str
    shared_bytes: int
    is_cuda: bool = False


@dataclass(frozen=True)
class Plan:
    """The fragment and the layouts of the three kernels of a call."""

    fragment: Fragment
    forward: Layout
    rows: Layout
    keys: Layout


def machine(device: str) -> Machine:
    """What tinygrad says about a device."""
    renderer = Device[device].renderer
    # off the hardware (NULL, PYTHON) the renderer tells whose instructions are meant
    is_cuda, maker = isinstance(renderer, CUDARenderer), renderer.target.device
    if is_cuda:
        maker = "CUDA"
    elif maker in ("CUDA", "NV") and device.split(":")[0] != "PYTHON":
        maker = type(renderer).__name__  # its text was never tried
    return Machine(maker, renderer.target.arch, renderer.shared_max, is_cuda=is_cuda)


def plan(of: Machine, score: Score, d: int, e: int, dtype: DType) -> Plan | str:
    """Fragment and layouts for a call with head widths d and e, or why there are none."""
    fragment = find(of.maker, of.arch, dtype)
    if isinstance(fragment, str):
        return fragment
    chosen = []
    for name, table, bytes_of, registers in (
        ("forward", FORWARD, mma_forward.shared_bytes, mma_forward.registers),
        ("backward by queries", BY_ROWS, mma_backward.rows_bytes, mma_backward.rows_registers),
        ("backward by keys", BY_KEYS, mma_backward.keys_bytes, mma_backward.keys_registers),
    ):
        for layout in layouts(table, fragment, of.is_cuda, by_keys=name == "backward by keys"):
            shared = bytes_of(layout, fragment, d, e, score, dtype.itemsize)
            words = registers(layout, fragment, d, e, score, dtype.itemsize)
            if shared <= of.shared_bytes and words <= MOST_REGISTERS:
                chosen.append(layout)
                break
        else:
            return (
                f"expected {shared} bytes of shared memory and {words} registers a thread for its smallest tile "
                f"({name}, head widths {d} and {e}), got {of.shared_bytes} and {MOST_REGISTERS}"
            )
    return Plan(fragment, *chosen)


def layouts(table: str, fragment: Fragment, is_cuda: bool, by_keys: bool) -> list[Layout]:
    """The layouts of a table for a fragment, best first."""
    made = []
    for line in table.strip().splitlines():
        warps, up, across, is_early = (int(word) for word in line.split())
        owned = warps * up * fragment.rows
        rows, keys = (across, owned) if by_keys else (owned, across)
        made.append(Layout(warps, fragment.lanes, rows, keys, bool(is_early), is_cuda))
    return made
