"""The kernels of the CPU through tinygrad's LLVM renderer, where the LLVM library of the machine serves tinygrad.

tinygrad 0.14 writes typed pointers (`float* %reg`) and indexes whole arrays with them. LLVM before 17 reads that as a
type error; LLVM 17 and later know no typed pointers and accept it. `LLVM_PATH=.../libLLVM-19.so` chooses a library.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PLAIN = "from tinygrad import Tensor; assert (Tensor.arange(99).contiguous() + 1).sum().item() == 4950"
OURS = """
import numpy as np
from tinygrad import Tensor
from gattn_tg import MotifBias, attention
from gattn_tg.ops.linear import linear

rng = np.random.default_rng(0)
def draw(*shape): return Tensor(rng.standard_normal(shape, dtype=np.float32)).realize()
def close(x, y): np.testing.assert_allclose(x.numpy(), y, rtol=1e-4, atol=1e-5)

q, k, v, do, table = draw(1, 2, 70, 32), draw(1, 2, 70, 32), draw(1, 2, 70, 32), draw(1, 2, 70, 32), draw(3, 3)
bias = MotifBias.pair(table, Tensor(rng.integers(0, 3, (1, 70)).astype(np.uint8)))
results = []
for impl in ("loops", "lazy"):
    o = attention(q, k, v, bias, is_causal=True, impl=impl)
    results.append([o, *o.gradient(q, k, v, table, gradient=do)])
for x, y in zip(*results): close(x, y.numpy())
close(attention(q[:, :, :1], k, v, impl="loops"), attention(q[:, :, :1], k, v, impl="lazy").numpy())
x, w = draw(100, 130), draw(70, 130)
close(linear(x, w), x.numpy() @ w.numpy().T)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEV": "CPU:LLVM"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


def test_fused_kernels_through_llvm() -> None:
    plain = run(PLAIN)
    if plain.returncode:
        said = [line for line in plain.stderr.splitlines() if "Error" in line] or [f"exit code {plain.returncode}"]
        pytest.skip(f"tinygrad's LLVM renderer does not run a plain sum here: {said[-1]}")
    ours = run(OURS)
    assert ours.returncode == 0, ours.stderr
    assert ours.stderr == ""
