"""The kernels of matrix units as text, for devices that are not here, and the instructions that they should have."""

from __future__ import annotations

import lanes
from tinygrad import dtypes
from tinygrad.codegen import to_program

from gattn_tg.kernels.mma import backward as mma_backward
from gattn_tg.kernels.mma import forward as mma_forward
from gattn_tg.kernels.mma import plan as mma_plan
from gattn_tg.kernels.tiles.rotation import Rotation

KERNELS = {
    "forward": (mma_forward.kernel, mma_forward.shared_bytes),
    "rows": (mma_backward.rows_kernel, mma_backward.rows_bytes),
    "keys": (mma_backward.keys_kernel, mma_backward.keys_bytes),
}


def planned(machine, score, d):
    """The fragment, and the layout of every pass, that the plan gives a device for bfloat16."""
    plan = mma_plan.plan(machine, score, d, d, dtypes.bfloat16)
    return plan.fragment, {"forward": plan.forward, "rows": plan.rows, "keys": plan.keys}


def render(which, device, arch, score, fragment, layout, n, d):
    """One kernel as text: two query heads, one key head."""
    kernel, shared_bytes = KERNELS[which]
    given = lanes.operands(which, score, Rotation(), n, d, dtypes.bfloat16)
    program = to_program(kernel(score, fragment, layout)(*given), lanes.renderer(device, arch))
    return lanes.rendered(program, shared_bytes(layout, fragment, d, d, score, 2))


def products(which, fragment, layout, d, classes):
    """Matrix instructions that one turn of the inner loop takes, with a table that is summed by products."""
    owned, across = (layout.keys, layout.rows) if which == "keys" else (layout.rows, layout.keys)
    steps = -(-across // fragment.depth)
    scores, sums = across // fragment.columns * (d // fragment.depth), d // fragment.columns * steps
    table = -(-classes // fragment.columns) * steps
    of_tile = {"forward": scores + sums, "rows": 2 * scores + sums + table, "keys": 2 * scores + 2 * sums}[which]
    return owned // (layout.warps * fragment.rows) * of_tile
