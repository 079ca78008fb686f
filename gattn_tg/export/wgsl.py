"""A captured model as kernels for WebGPU, and a plan of their launches."""

from __future__ import annotations

import re
from typing import Any

from gattn_tg.export.layout import constants_of
from gattn_tg.machine.captured import Captured

DECLARED = re.compile(r"var<storage,read_write>(\w+):array<([^;]+)>;")
PACKED = "atomic<u32>"  # four bytes in a word, which tinygrad reads and writes as a whole


def read_only(source: str) -> tuple[str, list[int]]:
    """Declares operands that a kernel only reads as such; returns the text and which operands they are.

    tinygrad declares all of them as read and written. What is loaded from such memory may differ from thread to thread,
    so that Chromium's compiler refuses a barrier in a loop whose bound was loaded, and Firefox's a word of bytes that
    is no atomic one where it is written elsewhere.
    """
    operands = []
    for i, (name, kind) in enumerate(DECLARED.findall(source)):
        if re.search(rf"(^|\W){name}\[[^;=]*\] = |atomic(And|Add|Or|Store)\(&{name}\[", source):
            continue
        operands.append(i)
        source = source.replace(f"var<storage,read_write>{name}:array<{kind}>;",
                                f"var<storage,read>{name}:array<{'u32' if kind == PACKED else kind}>;")  # fmt: skip
        source = _plain_loads(source, name)
    return source, operands


def _plain_loads(source: str, name: str) -> str:
    """`atomicLoad(&name[...])` as `name[...]`."""
    begin = f"atomicLoad(&{name}["
    while (at := source.find(begin)) >= 0:
        start, depth = at + len("atomicLoad("), 1
        end = start
        while depth:
            depth += {"(": 1, ")": -1}.get(source[end], 0)
            end += 1
        source = source[:at] + source[start + 1 : end - 1] + source[end:]
    return source


def plan(captured: Captured, weights: bytes) -> tuple[dict[str, Any], bytes]:
    """What `web/gpu.js` runs, JSON values, and the constants that are not among the weights.

    Every buffer is one of its own: WebGPU judges whole buffers where a kernel reads one range and writes another, and
    the graph was planned so that buffers are used again. A constant is known by its place in the weights followed by
    these constants, so that a page holds the weights of both of its programs once.

    Args:
        captured: kernels in WGSL.
        weights: of the program in WebAssembly.
    """
    sources, reads = zip(*(read_only(kernel.source) for kernel in captured.kernels), strict=True)
    blob, places = constants_of(captured, weights)
    buffers = [[buffer.n_bytes, places.get(i, -1)] for i, buffer in enumerate(captured.buffers)]
    inputs = [[captured.buffers[i].number, i] for i in captured.inputs]
    launches = [[launch.kernel, list(launch.buffers), list(launch.groups)] for launch in captured.launches]
    return {"sources": list(sources), "reads": list(reads), "buffers": buffers, "launches": launches,
            "inputs": inputs, "output": captured.output}, blob[len(weights) :]  # fmt: skip
