"""A statement builder over UOps: program order in, `.after` edges out.

tinygrad orders memory operations only by explicit edges. Here every access is pinned after the statement before it,
so a kernel reads top to bottom like a loop nest and never names an edge. Two rules remain. A value read from an array
that is written again must be used by the next statement, because the read itself is placed where it is used. And a
statement must not store what it reads from the same place: tinygrad drops it, and all that it waits for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tinygrad import UOp, dtypes
from tinygrad.dtype import AddrSpace, DType
from tinygrad.uop.ops import AxisType, GroupOp, KernelInfo, Ops

from gattn_tg.errors import ShapeError
from gattn_tg.machine import ranges

ranges.install()


class Body:
    """The statements of one kernel, in program order.

    Args:
        name: name of the kernel; carries its plan (`flash_fwd_d64_loops4x64_f32_pair`).
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._axes = 0
        self._arrays = 0
        self._last: tuple[UOp, ...] = ()

    def array(self, *shape: int, dtype: DType = dtypes.float32) -> UOp:
        """Private memory of one part: registers where the compiler can keep them there, else its stack."""
        self._arrays += 1
        if len(shape) == 1:
            # whole cache lines, so that the arrays after this one keep their alignment
            shape = (-(-shape[0] // 16) * 16,)
        return UOp.placeholder(shape, dtype, slot=self._arrays - 1, addrspace=AddrSpace.REG)

    def read(self, buffer: UOp, *index: UOp | int) -> UOp:
        """The element as it is after the last statement."""
        return self._at(buffer, index)

    def pointer(self, buffer: UOp, *index: UOp | int) -> UOp:
        """The address of an element, for a statement of another language that reads and writes there."""
        return self._at(buffer, index)

    def write(self, buffer: UOp, index: tuple[UOp | int, ...], value: UOp | float, when: UOp | None = None) -> None:
        """The statement `buffer[index] = value`, only where `when` holds."""
        if when is not None:
            if not when.simplify().vmax:
                return  # never: tinygrad drops such a store together with all statements before it
            # on the flat buffer: a condition does not survive a reshape whose axes have size 1
            buffer, index = buffer.base, (flat(buffer.shape, index).valid(when),)
        self._last = (self._at(buffer, index).store(value),)

    def together(self, writes: Sequence[tuple[UOp, tuple[UOp | int, ...], UOp | float]]) -> None:
        """One statement that writes many elements; none of its values sees what another one writes."""
        self._last = (UOp.group(*[self._at(buffer, index).store(value) for buffer, index, value in writes]),)

    @contextmanager
    def loop(self, size: int, kind: AxisType = AxisType.LOOP) -> Iterator[UOp]:
        """Repeat the statements inside for an index 0..size-1."""
        if size == 1 and kind == AxisType.LOOP:
            # tinygrad drops such a loop from some of the statements that wait for it, and then has two of each
            yield UOp.const(0, dtypes.weakint)
            return
        index = UOp.range(size, self._axes, kind)
        self._axes += 1
        self._last = (*self._last, index)
        yield index
        self._last = (self._last[0].end(index),)

    @contextmanager
    def loops(self, *sizes: int) -> Iterator[tuple[UOp, ...]]:
        """Nested loops, the last one innermost."""
        with ExitStack() as stack:
            yield tuple([stack.enter_context(self.loop(size)) for size in sizes])

    @contextmanager
    def span(self, start: UOp, stop: UOp, size: int, is_shared: bool = False) -> Iterator[UOp]:
        """Repeat for the indices start..stop-1 that lie in 0..size-1; start and stop are values.

        Where it is shared, the threads of a group wait for each other at the end of every turn.

        Where there are none, one turn runs with some index in 0..size-1, which must do no harm: tinygrad 0.14 cannot
        express a range whose end depends on an outer index, but a loop that leaves on a condition.
        """
        if size == 1:
            yield UOp.const(0, dtypes.weakint)
            return
        at = self.array(2, dtype=dtypes.int)
        self.write(at, (0,), start.cast(dtypes.int).maximum(0))
        self.write(at, (1,), stop.cast(dtypes.int).minimum(size))
        turn = UOp.loop(self._axes)
        self._axes += 1
        self._last = (*self._last, turn)
        yield self.read(at, 0).maximum(0).minimum(size - 1).cast(dtypes.weakint)
        self.write(at, (0,), self.read(at, 0) + 1)
        if is_shared:
            self.barrier()
        self._last = (self._last[0].end(turn, self.read(at, 0) < self.read(at, 1)),)

    @contextmanager
    def units(self, size: int, parts: int) -> Iterator[tuple[UOp, UOp]]:
        """Independent pieces of work 0..size-1, in `parts` contiguous runs that may go to different cores.

        Yields the part and the unit.
        """
        with (
            self.loop(parts, AxisType.THREAD) as part,
            self.span(part * size // parts, (part + 1) * size // parts, size) as unit,
        ):
            yield part, unit

    def groups(self, *sizes: int) -> tuple[UOp, ...]:
        """Independent pieces of work on a GPU, one group of threads each: the grid."""
        return tuple(UOp.special(size, f"gidx{i}") for i, size in enumerate(sizes))

    def threads(self, count: int) -> UOp:
        """The thread of a group; all of them run every statement."""
        return UOp.const(0, dtypes.weakint) if count == 1 else UOp.special(count, "lidx0")

    def shared(self, *shape: int, dtype: DType = dtypes.float32) -> UOp:
        """Memory that the threads of a group share; what others wrote is there after a barrier."""
        self._arrays += 1
        return UOp.placeholder(shape, dtype, slot=self._arrays - 1, addrspace=AddrSpace.LOCAL)

    def barrier(self) -> None:
        """Wait for all threads of the group.

        tinygrad would place barriers by itself, one before every statement that reads shared memory.
        """
        self._last = (UOp(Ops.BARRIER, src=self._last),)

    def _at(self, buffer: UOp, index: Sequence[UOp | int]) -> UOp:
        """An element of a buffer as it lies in memory, which waits for the last statement."""
        return buffer.base.after(*self._last).index(flat(buffer.shape, index))

    def finish(self) -> UOp:
        """The kernel.

        Raises:
            ShapeError: An operand was read as `x[r, j]`, and not by `element` or `read`; see `flat`.
        """
        shaped = [x.src[0] for x in self._last[0].toposort() if x.op is Ops.INDEX and x.src[0].op in GroupOp.Movement]
        if shaped:
            raise ShapeError(
                f"kernel {self.name}: expected operands read by `element(x, r, j)`, got `x[r, j]` of an operand of "
                f"shape {shaped[0].shape}; call `element`"
            )
        # tinygrad does not look for better loops in a kernel with a tag, and these are in the order in which they run
        return self._last[0].sink(arg=KernelInfo(name=self.name, opts_to_apply=())).rtag("ordered")


def element(operand: UOp, *index: UOp | int) -> UOp:
    """An element of what a kernel only reads; a piece of a buffer finds it by itself."""
    return operand.base.index(flat(operand.shape, index)) if isinstance(operand, UOp) else operand[index]


def flat(shape: Sequence[int], index: Sequence[UOp | int]) -> UOp:
    """The place of an element of a tensor of this shape in memory.

    tinygrad finds it too, by rewriting every access several times. Where it does so for some of them only, statements
    that a place depends on come to stand there twice, once simplified.
    """
    place: UOp | int = 0
    for size, at in zip(shape, index, strict=True):
        step = place * size
        place = at if isinstance(step, int) and step == 0 else step + at
    return UOp.const(place, dtypes.weakint) if isinstance(place, int) else place


def in_order(x: UOp) -> UOp:
    """A copy of a value as elements in order in memory; of a parameter too, which stands for any value."""
    return UOp(Ops.CONTIGUOUS, src=(x,))
