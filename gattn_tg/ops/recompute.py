"""Blocks that are computed once more for their gradients instead of being kept: memory of training for one block.

Inside `recomputing`, a block that `block` runs leaves its input and its output in memory and nothing else. `gradients`
goes back from the loss block by block: each is computed again from its input, and differentiated at once.

    forward    x0 -> [block 1] -> x1 -> [block 2] -> x2 -> loss            kept: x0, x1, x2
    backward   d loss / d x2;  [block 2] from x1 again, d / d x1;  [block 1] from x0 again, d / d x0;  what made x0

Every stage is run before the next begins, which is what lets a captured step use the memory of one for the next.

Source: Chen et al. 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

from tinygrad import Tensor
from tinygrad.tensor import all_tensors

from gattn_tg.ops.dropout import key_now, with_key
from gattn_tg.types import Float, Int

Run = Callable[..., Tensor]


@dataclass(frozen=True)
class _Stage:
    """One block: how it runs, its input and its output in memory, and the key of its first dropout."""

    run: Callable[[], Tensor]
    given: Tensor
    made: Tensor
    key: Int[Tensor, "2"] | None


@dataclass
class Stages:
    """What ran, in order; `first` is how the input of the first block came to be."""

    done: list[_Stage] = field(default_factory=list)
    first: Tensor | None = None


_stages: ContextVar[Stages | None] = ContextVar("gattn_tg_recompute", default=None)


@contextmanager
def recomputing() -> Iterator[Stages]:
    """Blocks inside keep their input and output only, and are in what this gives."""
    stages = Stages()
    token = _stages.set(stages)
    try:
        yield stages
    finally:
        _stages.reset(token)


def block(run: Run, x: Float[Tensor, "..."], *beside: Tensor | None) -> Float[Tensor, "..."]:
    """run(x, *beside); inside `recomputing` what it needs in between is not kept.

    Args:
        run: one block.
        x: its input: of the first block anything, of every other one the output of the block before.
        beside: what else it reads.
    """
    stages = _stages.get()
    if stages is None:
        return run(x.contiguous_backward(), *beside)  # as below, so that both ways have the same bits
    if not stages.done:
        stages.first = x
        x = _in_memory(x.detach().contiguous())[0]
    key = key_now()
    made = _in_memory(run(x, *beside).detach().contiguous())[0]
    stages.done.append(_Stage(partial(run, x, *beside), x, made, key))
    return made


def gradients(stages: Stages, total: Float[Tensor, ""], parameters: Sequence[Tensor]) -> list[Float[Tensor, "..."]]:
    """d total / d parameter of each, in memory; `total` is made of the output of the last block.

    Numerics: the sums of `Tensor.gradient`, and on CPUs the same bits for networks of at least 32 channels, whose
        products and sums are this package's kernels; narrower ones may differ in the last bits.
    """
    found: dict[int, Tensor] = {}

    def back(y: Tensor, wanted: Tensor | None, slope: Tensor | None) -> Tensor | None:
        """Adds what a stage gives to its parameters; the gradient in its input."""
        reached = y.uop.toposort()
        places = [i for i, p in enumerate(parameters) if p.uop in reached]
        targets = [*(parameters[i] for i in places), *([] if wanted is None else [wanted])]
        got = y.gradient(*targets, gradient=slope)
        for i, g in zip(places, got, strict=False):
            found[i] = found[i] + g if i in found else g
        last = None if wanted is None else got[-1]
        _in_memory(*(found[i] for i in places), *([] if last is None else [last]), *([total] if slope is None else []))
        return last

    slope = back(total, stages.done[-1].made if stages.done else None, None)
    for stage in reversed(stages.done):
        with with_key(stage.key):
            slope = back(stage.run(), stage.given, slope)
    if stages.first is not None:
        back(stages.first, None, slope)
    return [found.get(i, p.zeros_like()) for i, p in enumerate(parameters)]


def _in_memory(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Runs what these need. All other tensors remember how they were made.

    tinygrad lets every tensor forget that which it has put into memory on the way: what is made of parameters and read
    by several stages would give gradients to the first of them only.
    """
    before = [(tensor, tensor.uop) for ref in list(all_tensors) if (tensor := ref()) is not None]
    Tensor.realize(*tensors)
    wanted = {id(tensor) for tensor in tensors}
    for tensor, uop in before:
        if id(tensor) not in wanted:
            tensor.uop = uop
    return tensors
