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
from typing import Protocol

from tinygrad import Tensor
from tinygrad.tensor import all_tensors

from gattn_tg.ops.dropout import key_now, with_key
from gattn_tg.types import Float, Int

Run = Callable[..., Tensor]


class Stage(Protocol):
    """What ran: its output in memory, and how its gradients are found."""

    @property
    def made(self) -> Tensor:
        """The output."""
        ...

    def back(self, sums: Sums, slope: Float[Tensor, "..."]) -> Float[Tensor, "..."] | None:
        """The cotangent of the input from that of the output, in memory; adds to the gradients of parameters.

        None where the input has none, which only that of the first stage may.
        """
        ...


@dataclass(frozen=True)
class _Block:
    """One block: how it runs, its input and its output in memory, and the key of its first dropout."""

    run: Callable[[], Tensor]
    given: Tensor
    made: Tensor
    key: Int[Tensor, "2"] | None

    def back(self, sums: Sums, slope: Tensor) -> Tensor:
        with with_key(self.key):
            return sums.back(self.run(), slope, self.given)[0]


@dataclass
class Stages:
    """What ran, in order; `first` is how the input of the first block came to be."""

    done: list[Stage] = field(default_factory=list)
    first: Tensor | None = None

    def entered(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The input of a block in memory: of the first one anything, of others the output of the one before."""
        if self.done:
            return x
        self.first = x
        return in_memory(x.detach().contiguous())[0]


class Sums:
    """Gradients of parameters, added up stage by stage.

    Args:
        parameters: all of them.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = parameters
        self.found: dict[int, Tensor] = {}

    def back(
        self, y: Float[Tensor, "..."], slope: Float[Tensor, "..."] | None, *wanted: Tensor
    ) -> tuple[Float[Tensor, "..."], ...]:
        """Adds what y gives to its parameters; the gradients in other tensors that it is made of. All in memory.

        Args:
            y: made of parameters and of what is wanted.
            slope: its cotangent; None is 1, for a y that is a number, which becomes memory too.
            wanted: tensors in memory.
        """
        reached = y.uop.toposort()
        places = [i for i, p in enumerate(self.parameters) if p.uop in reached]
        got = y.gradient(*(self.parameters[i] for i in places), *wanted, gradient=slope)
        for i, g in zip(places, got, strict=False):
            self.found[i] = self.found[i] + g if i in self.found else g
        others = got[len(places) :]
        in_memory(*(self.found[i] for i in places), *others, *([y] if slope is None else []))
        return tuple(others)

    def all(self) -> list[Float[Tensor, "..."]]:
        """One for each parameter; zeros for those that nothing depends on."""
        return [self.found.get(i, p.zeros_like()) for i, p in enumerate(self.parameters)]


_stages: ContextVar[Stages | None] = ContextVar("gattn_tg_recompute", default=None)
_forgets: ContextVar[bool] = ContextVar("gattn_tg_forget", default=False)


@contextmanager
def recomputing() -> Iterator[Stages]:
    """Blocks inside keep their input and output only, and are in what this gives."""
    stages = Stages()
    token = _stages.set(stages)
    try:
        yield stages
    finally:
        _stages.reset(token)


@contextmanager
def forgetting() -> Iterator[None]:
    """Nobody asks for gradients of what runs inside: nothing needs to be kept for them."""
    token = _forgets.set(True)
    try:
        yield
    finally:
        _forgets.reset(token)


def now() -> Stages | None:
    """The stages that what runs now belongs to; None outside of `recomputing`."""
    return _stages.get()


def forgets() -> bool:
    """Whether nothing that runs now is kept for gradients."""
    return _forgets.get() and _stages.get() is None


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
    x, key = stages.entered(x), key_now()
    made = in_memory(run(x, *beside).detach().contiguous())[0]
    stages.done.append(_Block(partial(run, x, *beside), x, made, key))
    return made


def kept(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """What several blocks read beside their input, and has no gradient; inside `recomputing` it is made once."""
    return x if _stages.get() is None else in_memory(x.detach().contiguous())[0]


def gradients(stages: Stages, total: Float[Tensor, ""], parameters: Sequence[Tensor]) -> list[Float[Tensor, "..."]]:
    """d total / d parameter of each, in memory; `total` is made of the output of the last block.

    Numerics: the sums of `Tensor.gradient`, and on CPUs the same bits for networks of at least 32 channels, whose
        products and sums are this package's kernels; narrower ones may differ in the last bits.
    """
    sums = Sums(parameters)
    if not stages.done:
        sums.back(total, None)
        return sums.all()
    (slope,) = sums.back(total, None, stages.done[-1].made)
    for stage in reversed(stages.done):
        slope = stage.back(sums, slope)
    if stages.first is not None:  # else what came first has no gradient
        sums.back(stages.first, slope)
    return sums.all()


def joined(pieces: Sequence[Float[Tensor, "b r w"]]) -> Float[Tensor, "b n w"]:
    """A whole sequence of its pieces, in memory."""
    return in_memory(pieces[0].cat(*pieces[1:], dim=1))[0]


def rows_in_memory(x: Float[Tensor, "b n w"], rows: slice) -> Float[Tensor, "b r w"]:
    """A piece of a sequence, in memory of its own."""
    return in_memory((x[:, rows] + 0).contiguous())[0]


def in_memory(*tensors: Tensor) -> tuple[Tensor, ...]:
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
