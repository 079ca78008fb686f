"""Where kernels enter tinygrad's graph: the one file that calls `Tensor.custom_kernel`, which tinygrad may change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad import Tensor, UOp, dtypes
from tinygrad.dtype import DType

from gattn_tg.kernels.tiles.body import in_order
from gattn_tg.machine import cpu, lifetimes

lifetimes.install()  # whatever is captured, on any device
cpu.install()  # once the ops room is in use, every CPU device runs at full width and on all cores

Gradient = Callable[[list[Tensor], list[Tensor], list[Tensor]], Sequence[Tensor | None]]


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
    """The tensor as elements in order in memory; what a kernel has written already is not copied once more.

    A copy of floating values is the body of a function. A plain one becomes memory as soon as anything that reads it is
    realised, and a gradient taken after that (`loss.item()`, then `loss.backward()`) would end there, silently zero.
    """
    base = x.uop
    while base.op.name == "RESHAPE":
        base = base.src[0]
    if base.op.name == "GETTUPLE":  # the result of a function: memory where its body ends in a kernel or a copy
        base = base.src[0].src[0].src[base.arg]
    if base.op.name == "CONTIGUOUS" or base.has_buffer_identity(after_ok=True):
        return x
    if not dtypes.is_float(x.dtype) or x.uop.is_virtual or _is_view(x.uop):
        return x.contiguous()
    body = UOp.maketuple(in_order(x.uop.param_like(0)))
    return Tensor(body.call(x.uop, grad_fxn=lambda cotangent, call: (cotangent,)).gettuple(0))


def _is_view(x: UOp) -> bool:
    """Whether these are consecutive elements of plain memory, of which tinygrad makes no copy."""
    return x.base.op.name == "BUFFER" and x.contiguous_view() is not None


def launch(
    kernel: Callable[..., UOp], outputs: Sequence[Output], inputs: Sequence[Tensor], gradient: Gradient | None = None
) -> list[Tensor]:
    """Runs a kernel over (outputs..., inputs...) and gives the outputs after it.

    Args:
        kernel: Takes one UOp per operand, gives the sink.
        outputs: What the kernel fills, scratch memory included.
        inputs: What it reads; laid out contiguously here.
        gradient: Takes the cotangents of those outputs that were used, all outputs and all inputs; gives one gradient
            or None per input.
    """
    device: Any = inputs[0].device
    count = len(outputs)
    made = []
    for output in outputs:
        empty = Tensor.empty(*output.shape, dtype=output.dtype, device=device)
        made.append(empty if isinstance(device, str) else Tensor(empty.uop.unshard(output.axis), device=device))
    operands = [*made, *(laid_out(x) for x in inputs)]
    after: list[Tensor] = operands[0].custom_kernel(*operands[1:], fxn=kernel)
    return after[:count] if gradient is None else _remembered(after[0].uop.src[-1], count, gradient)


def _remembered(call: UOp, count: int, gradient: Gradient) -> list[Tensor]:
    """The first `count` operands of a call after it, as results of a function of the other operands.

    tinygrad replaces what a kernel wrote by plain memory as soon as anything that needs it is realised, and a gradient
    taken after that (`loss.item()`, then `loss.backward()`) would silently be zero. A function stays in the graph.
    """
    kernel, *operands = call.src
    outputs, inputs = operands[:count], operands[count:]

    def of_inputs(*given: UOp, call: UOp | None = None) -> tuple[UOp | None, ...]:
        *cotangents, function = (*given, call) if call is not None else given
        return _of_inputs(gradient, cotangents, [function.gettuple(i) for i in range(count)], function.src[1:])

    body = kernel.call(*outputs, *(x.param_like(i) for i, x in enumerate(inputs)))
    function = UOp.maketuple(*(x.after(body) for x in outputs)).call(*inputs, grad_fxn=of_inputs)
    return [Tensor(function.gettuple(i)) for i in range(count)]


def _of_inputs(
    gradient: Gradient, cotangents: Sequence[UOp], outputs: Sequence[UOp], inputs: Sequence[UOp]
) -> tuple[UOp | None, ...]:
    of_inputs = gradient(*([Tensor(x) for x in group] for group in (cotangents, outputs, inputs)))
    return tuple(None if x is None else x.uop for x in of_inputs)


def update(kernel: Callable[..., UOp], targets: Sequence[Tensor], inputs: Sequence[Tensor]) -> None:
    """Runs a kernel over (targets..., inputs...), all flat, that changes the targets in place.

    What reads a target before this call still sees its old value, what reads it afterwards the new one.
    """
    flat = [x.reshape(x.numel()) for x in targets]
    after = flat[0].custom_kernel(*flat[1:], *(laid_out(x) for x in inputs), fxn=kernel)
    for x, changed in zip(targets, after[: len(targets)], strict=True):
        x.replace(changed.reshape(x.shape))
