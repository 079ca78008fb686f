"""Two passes of tinygrad's lowering are ours: programs are those of its own passes, statement for statement."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
from tinygrad import Tensor, UOp, codegen, dtypes
from tinygrad.renderer.cstyle import ClangRenderer, OpenCLRenderer
from tinygrad.runtime.ops_cpu import CPUDevice
from tinygrad.uop import weak
from tinygrad.uop.ops import Ops, graph_rewrite

from gattn_tg import MotifBias, attention
from gattn_tg.kernels.tiles.body import Body
from gattn_tg.machine import cpu, passes

cpu.install()


def drawn(*shape: int) -> Tensor:
    return Tensor.empty(*shape, device="CPU")


def attended() -> Tensor:
    q = drawn(1, 2, 70, 16)
    bias = MotifBias("pair", drawn(16, 16), Tensor.empty(1, 70, dtype=dtypes.uint8, device="CPU"))
    return attention(q, q, q, bias, is_causal=True)


KERNELS: dict[str, Callable[[], Tensor]] = {
    "elements": lambda: drawn(300, 7).T.contiguous().exp(),
    "product": lambda: drawn(64, 128) @ drawn(128, 128),
    "padded": lambda: drawn(130, 9)[1:].pad(((0, 3), None)).sum(1),
    "attention": attended,
}


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Puts tinygrad's own passes back."""
    assert (weak.lower_weak_srcs, codegen.graph_rewrite) == (passes.lower_sources, passes.rewrite)

    def put() -> None:
        found = importlib.util.find_spec("tinygrad.uop.weak")
        assert found is not None
        assert found.loader is not None
        fresh = importlib.util.module_from_spec(found)
        found.loader.exec_module(fresh)
        monkeypatch.setattr(weak, "lower_weak_srcs", fresh.lower_weak_srcs)
        monkeypatch.setattr(codegen, "graph_rewrite", graph_rewrite)

    return put


@pytest.mark.parametrize("name", KERNELS)
def test_programs_are_those_of_tinygrads_own_passes(name: str, theirs: Callable[[], None]) -> None:
    renderer = ClangRenderer(CPUDevice("CPU").renderer.target)
    kernels = [call.src[0] for call in KERNELS[name]().schedule_linear().src if call.src[0].op is Ops.SINK]
    ours = [codegen.full_rewrite_to_sink(kernel, renderer) for kernel in kernels]
    theirs()
    own = [codegen.full_rewrite_to_sink(kernel, renderer) for kernel in kernels]
    assert kernels
    assert all(mine is yours for mine, yours in zip(ours, own, strict=True))  # equal statements are one object


def test_shared_memory_still_gets_its_barriers(theirs: Callable[[], None]) -> None:
    out = UOp.placeholder((8,), dtypes.float32, slot=0)
    body = Body("turned")
    thread = body.threads(8)
    kept = body.shared(8)
    body.write(kept, (thread,), thread.cast(dtypes.float32))
    body.write(out, (thread,), body.read(kept, 7 - thread))
    kernel, gpu = body.finish(), OpenCLRenderer(CPUDevice("CPU").renderer.target)
    ours = codegen.full_rewrite_to_sink(kernel, gpu)
    assert any(x.op is Ops.BARRIER for x in ours.toposort())
    theirs()
    assert codegen.full_rewrite_to_sink(kernel, gpu) is ours
