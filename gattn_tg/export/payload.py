"""What JavaScript gets of a model: WebAssembly and weights, packed, and what the numbers mean."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np

from gattn_tg.export.layout import Layout, lay_out
from gattn_tg.export.program import Program, about
from gattn_tg.export.wgsl import plan
from gattn_tg.machine.captured import Captured

LEAST_HALVED = 256  # numbers of a constant that is worth storing as float16
LARGEST_HALF = float(np.finfo(np.float16).max)


def payload(program: Program, *, half: bool, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """The payload of `web/model.js` and `web/gpu.js`, JSON values.

    Args:
        program: a captured model.
        half: store large constants as float16, which halves them and changes answers a little.
        extra: what else a page must know.
    """
    layout = lay_out(program.captured)
    weights, halves = halved(layout, program.captured) if half else (layout.weights, None)
    held = {"wasm": packed(program.webassembly), "relaxed": packed(program.relaxed), "weights": packed(weights),
            "halves": halves, "about": {**about(program), **(extra or {})}}  # fmt: skip
    return held | _gpu(program, layout)


def _gpu(program: Program, layout: Layout) -> dict[str, Any]:
    """What `web/gpu.js` reads beside it, where there is such a program."""
    if program.wgsl is None:
        return {}
    told, constants = plan(program.wgsl, layout.weights)
    return {"gpu": {"plan": packed(json.dumps(told, sort_keys=True).encode()), "constants": packed(constants)}}


def packed(data: bytes) -> str:
    """gzip without a time stamp, as base64: equal bytes give equal text."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def script_json(value: Any) -> str:
    """JSON that cannot end the script that it stands in."""
    return json.dumps(value, sort_keys=True, allow_nan=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")


def halved(layout: Layout, captured: Captured) -> tuple[bytes, dict[str, Any]]:
    """The weights with large float32 constants as float16, and how to widen them: [to, from, count, whether half]."""
    out, parts, done = bytearray(), [], set()
    for i, start in sorted(layout.constants.items(), key=lambda place: place[1]):
        if start in done:
            continue
        done.add(start)
        buffer = captured.buffers[i]
        is_half = buffer.dtype == "float" and buffer.n_bytes >= 4 * LEAST_HALVED
        numbers = np.frombuffer(buffer.data, np.float32) if is_half else np.zeros(0, np.float32)
        is_half = is_half and bool((np.abs(numbers) <= LARGEST_HALF).all())
        out += bytes(-len(out) % 4)
        parts.append([start, len(out), len(numbers) if is_half else buffer.n_bytes, int(is_half)])
        out += numbers.astype(np.float16).tobytes() if is_half else buffer.data
    return bytes(out), {"size": len(layout.weights), "parts": parts}
