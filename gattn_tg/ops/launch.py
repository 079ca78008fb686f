"""Where kernels enter tinygrad's graph: the one file that calls `Tensor.custom_kernel`, which tinygrad may change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad import Tensor, UOp
from tinygrad.dtype import DType

from gattn_tg.kernels import cpu

cpu.install()  # once the ops room is in use, every CPU device runs at full width and on all cores


@dataclass(frozen=True)
class Output:
    """Memory that a kernel fills.

    Args:
        shape: Shape on one device.
        dtype: Type of the elements.
        axis: Axis along which the pieces of several devices are joined.
    """

    shape: tuple[int, ...]
    dtype: DType
    axis: int = 0


def pieces(x: Tensor) -> tuple[int, int]:
    """The axis over which a tensor is sharded and the number of pieces; (-1, 1) where every device has all of it."""
    axis = None if isinstance(x.device, str) else x.uop.axis
    return (-1, 1) if axis is None else (axis, len(x.device))


def on_one_cpu(x: Tensor) -> bool:
    """True where the kernels for CPUs serve a tensor that is not sharded."""
    return isinstance(x.device, str) and x.device.split(":")[0] == "CPU" and cpu.compiles_well()


def laid_out(x: Tensor) -> Tensor:
    """The tensor as elements in order in memory; what a kernel has written already is not copied once more."""
    return x if x.uop.has_buffer_identity(after_ok=True) else x.contiguous()


def launch(
    kernel: Callable[..., UOp],
    outputs: Sequence[Output],
    inputs: Sequence[Tensor],
    gradient: Callable[..., tuple[UOp | None, ...]] | None = None,
) -> list[Tensor]:
    """Runs a kernel over (outputs..., inputs...) and gives the outputs after it.

    Args:
        kernel: Takes one UOp per operand, gives the sink.
        outputs: What the kernel fills, scratch memory included.
        inputs: What it reads; laid out contiguously here.
        gradient: tinygrad's `grad_fxn`: takes the cotangents of the outputs in use and the call, gives one gradient
            per operand, None for outputs.
    """
    device: Any = inputs[0].device
    made = []
    for output in outputs:
        empty = Tensor.empty(*output.shape, dtype=output.dtype, device=device)
        made.append(empty if isinstance(device, str) else Tensor(empty.uop.unshard(output.axis), device=device))
    operands = [*made, *(laid_out(x) for x in inputs)]
    after: list[Tensor] = operands[0].custom_kernel(*operands[1:], fxn=kernel, grad_fxn=gradient)
    return after[: len(made)]


def update(kernel: Callable[..., UOp], targets: Sequence[Tensor], inputs: Sequence[Tensor]) -> None:
    """Runs a kernel over (targets..., inputs...), all flat, that changes the targets in place.

    What reads a target before this call still sees its old value, what reads it afterwards the new one.
    """
    flat = [x.reshape(x.numel()) for x in targets]
    after = flat[0].custom_kernel(*flat[1:], *(laid_out(x) for x in inputs), fxn=kernel)
    for x, changed in zip(targets, after[: len(targets)], strict=True):
        x.replace(changed.reshape(x.shape))
