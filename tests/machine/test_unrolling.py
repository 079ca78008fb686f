"""tinygrad's own kernels on a CPU: only long sums of products are unrolled, big ones run on all cores, numbers stay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.codegen import to_program
from tinygrad.codegen.opt import OptOps, heuristic
from tinygrad.codegen.opt.postrange import Scheduler
from tinygrad.helpers import Context
from tinygrad.renderer.cstyle import ClangRenderer, OpenCLRenderer
from tinygrad.runtime.ops_cpu import CPUDevice

from gattn_tg.machine import cpu, unrolling

cpu.install()


def done_to(x: Tensor, renderer: object) -> list[OptOps]:
    """What is done to the loops of the last kernel that computes `x`."""
    kernel = x.schedule_linear().src[-1].src[0]
    program = to_program(kernel, renderer)
    return [opt.op for opt in program.src[0].arg.applied_opts]


def drawn(*shape: int) -> Tensor:
    return Tensor.empty(*shape, device="CPU")


def test_only_long_sums_of_products_are_unrolled_and_large_kernels_run_on_all_cores() -> None:
    renderer = ClangRenderer(CPUDevice("CPU").renderer.target)
    with Context(NUM_CPU_THREADS=2, CACHELEVEL=0):
        assert done_to(drawn(64, 64).gelu(), renderer) == []
        assert done_to(drawn(1024, 512).gelu(), renderer) == [OptOps.THREAD]
        assert done_to(drawn(16, 32) @ drawn(32, 32), renderer) == []
        assert OptOps.UNROLL in done_to(drawn(64, 128) @ drawn(128, 128), renderer)
        assert done_to(drawn(512, 1024).square().sum(1), renderer) == [OptOps.THREAD]
        assert done_to(drawn(1023, 513).gelu(), renderer) == []  # cannot be cut in two


def test_other_devices_keep_the_rules_of_tinygrad(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def theirs(kernel: object) -> object:
        asked.append(kernel)
        return kernel

    monkeypatch.setattr(unrolling, "tinygrads", theirs)
    kernel = drawn(64, 64).gelu().schedule_linear().src[-1].src[0]
    gpu = OpenCLRenderer(CPUDevice("CPU").renderer.target)
    assert unrolling.optimized(Scheduler(kernel, gpu)) is asked[0]
    assert heuristic.hand_coded_optimizations is unrolling.optimized


OPERATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[np.ndarray], np.ndarray]]] = {
    "elements": (lambda x: x.exp() * x.sin(), lambda x: np.exp(x) * np.sin(x)),
    "transposed": (lambda x: x.T.contiguous(), lambda x: x.T),
    "padded": (lambda x: x[1:].pad(((0, 1), None)) + x, lambda x: np.pad(x[1:], ((0, 1), (0, 0))) + x),
    "sums": (lambda x: x.sum(0), lambda x: x.sum(0)),
    "product": (lambda x: x @ x.T, lambda x: x @ x.T),
    "largest": (lambda x: x.max(1), lambda x: x.max(1)),
}


@pytest.mark.parametrize("shape", [(13, 7), (300, 1025)], ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_numbers_are_those_of_numpy(name: str, shape: tuple[int, int]) -> None:
    operation, expected = OPERATIONS[name]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    want = expected(x.astype(np.float64))
    found = operation(Tensor(x, device="CPU")).numpy()
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
