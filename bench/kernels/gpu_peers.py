"""PyTorch on a CUDA device: what `gpu.py` compares with."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import flex_attention
from torch.nn.functional import scaled_dot_product_attention

from bench.kernels.call import Call

Run = Callable[[], object]
LONGEST_BIAS = {"forward": 32768, "forward+backward": 8192}  # longer ones would fill the card with n x m numbers


@functools.cache
def _primary() -> tuple[ctypes.CDLL, ctypes.c_void_p]:
    driver, context = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
    assert driver.cuInit(0) == 0
    assert driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
    return driver, context


def enter() -> None:
    """Makes the context that PyTorch works in the current one: tinygrad has its own, and leaves it behind."""
    driver, context = _primary()
    assert driver.cuCtxSetCurrent(context) == 0


class Peers:
    """The peers of one case: flex (same table, captured), sdpa (bias materialised beforehand), flash (no bias at all).

    Args:
        call: the arrays.
        dtype: "bfloat16" or "float32".
        with_flex: compile FlexAttention too; it takes 10 s and more a case.
    """

    def __init__(self, call: Call, dtype: str, with_flex: bool) -> None:
        enter()
        kind = getattr(torch, dtype)
        self.n = call.q.shape[2]
        self.q, self.k, self.v = (
            torch.from_numpy(x).cuda().to(kind).requires_grad_() for x in (call.q, call.k, call.v)
        )
        self.do = torch.from_numpy(call.do).cuda().to(kind)
        self.ids = torch.from_numpy(call.ids.astype(np.int64)).cuda()
        self.table = torch.from_numpy(call.table).cuda().requires_grad_()
        self.compiled = torch.compile(flex_attention, dynamic=False) if with_flex else None

    def of(self, what: str) -> dict[str, Run]:
        """Runs of "forward" or "forward+backward" by name of the peer; each comes back when its work is done."""
        enter()
        made: dict[str, Callable[[], torch.Tensor]] = {"flash": self._flash}
        if self.n <= LONGEST_BIAS[what]:
            made["sdpa"] = self._sdpa(what)
        if self.compiled is not None:
            made["flex"] = self._flex
        return {name: self._finished(name, function, what) for name, function in made.items()}

    def _flash(self) -> torch.Tensor:
        with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]):
            return scaled_dot_product_attention(self.q, self.k, self.v)

    def _sdpa(self, what: str) -> Callable[[], torch.Tensor]:
        def bias() -> torch.Tensor:
            return self.table[self.ids[:, :, None], self.ids[:, None, :]][:, None].to(self.q.dtype)

        made = bias().detach() if what == "forward" else None

        def run() -> torch.Tensor:
            return scaled_dot_product_attention(self.q, self.k, self.v, attn_mask=bias() if made is None else made)

        return run

    def _flex(self) -> torch.Tensor:
        assert self.compiled is not None
        row, table = self.ids[0], self.table

        def score(s: torch.Tensor, _b: object, _h: object, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
            return s + table[row[i], row[j]]

        return self.compiled(self.q, self.k, self.v, score_mod=score)

    def _finished(self, name: str, function: Callable[[], torch.Tensor], what: str) -> Run:
        wanted = [self.q, self.k, self.v] + ([] if name == "flash" else [self.table])

        def run() -> object:
            enter()
            if what == "forward":
                with torch.no_grad():
                    found: object = function()
            else:
                found = torch.autograd.grad(function(), wanted, self.do)
            torch.cuda.synchronize()
            return found

        return run


def peak_megabytes(run: Run) -> float:
    """Memory of one run beyond what was there before."""
    enter()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def matmul_tflops(dtype: str, size: int = 8192, turns: int = 10) -> float:
    """Measured peak of a square product."""
    enter()
    a = torch.randn(size, size, device="cuda", dtype=getattr(torch, dtype))
    times = []
    for turn in range(turns + 3):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        a @ a
        end.record()
        torch.cuda.synchronize()
        if turn >= 3:
            times.append(start.elapsed_time(end))
    return 2e-9 * size**3 / float(np.median(times))
