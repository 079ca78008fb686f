"""The order in which a CPU kernel takes its arguments: as it is called, buffers first and the part's number last.

tinygrad 0.14 numbers the part's number (`core_id`) by counting the buffers that are left after simplification. Where
one of them fell away (a scale of 0 needs no queries, a table of one entry no ids) that number lies among those of the
buffers, and so would the argument: the kernel would read a small number as an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tinygrad.uop.ops import Ops, PatternMatcher, UOp, UPat

from gattn_tg.errors import UnsupportedError

CORE = "core_id"
# behind the numbers of all buffers; a CPU kernel of tinygrad has at most a few dozen
LAST = 2**16


def _last(x: UOp) -> UOp | None:
    return x.replace(arg=replace(x.arg, slot=LAST)) if x.arg.name == CORE and x.arg.slot == -1 else None


# what a renderer adds to its own rewriting: the part's number gets its place before tinygrad counts buffers
core_last = PatternMatcher([(UPat(Ops.PARAM, name="x"), _last)])


def placed(name: str, signature: Sequence[tuple[Any, ...]]) -> tuple[tuple[Any, ...], ...]:
    """The signature of a kernel with places among the arguments of a call instead of numbers of operands.

    tinygrad's CPU and OpenCL devices take numbers for places, which is wrong behind an operand that fell away.

    Args:
        name: Of the kernel.
        signature: (name, number, ...) of every argument in the order of the call; buffers have no name.

    Raises:
        UnsupportedError: The kernel takes its arguments in another order than that of the call.
    """
    numbers = [number for _, number, *_ in signature]
    if numbers != sorted(set(numbers)):
        raise UnsupportedError(
            f"kernel {name}: expected arguments numbered in the order of the call, but they are "
            f"{', '.join(map(str, numbers))}, so that a number would be read as an address; take DEV=CPU:CLANG"
        )
    return tuple((argument, i, *rest) for i, (argument, _, *rest) in enumerate(signature))


def install() -> None:
    """Gives every program that is loaded the places of its arguments, and refuses one that has none."""
    UOp.to_elf = _to_elf


_numbered = UOp.to_elf


def _to_elf(self: UOp) -> Any:
    elf = _numbered(self)
    return replace(elf, signature=placed(elf.name, elf.signature))
