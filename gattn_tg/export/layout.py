"""Where the buffers of a captured program lie: constants in one blob, all others in one arena that is used again."""

from __future__ import annotations

from dataclasses import dataclass

from gattn_tg.machine.captured import Captured

ALIGN = 64  # a cache line, and more than any vector needs


@dataclass(frozen=True)
class Layout:
    """Places of buffers.

    Args:
        weights: all constants, equal ones once.
        constants: offset of each constant buffer in the weights.
        arena: offset of each other buffer in the arena.
        arena_bytes: size of the arena.
    """

    weights: bytes
    constants: dict[int, int]
    arena: dict[int, int]
    arena_bytes: int


def lay_out(captured: Captured) -> Layout:
    """The places of all buffers of a program."""
    weights, constants, known = bytearray(), {}, {}
    for i, buffer in enumerate(captured.buffers):
        if buffer.role == "constant":
            if buffer.data not in known:
                weights += bytes(-len(weights) % ALIGN)
                known[buffer.data] = len(weights)
                weights += buffer.data
            constants[i] = known[buffer.data]
    return Layout(bytes(weights), constants, *_arena(captured))


def _arena(captured: Captured) -> tuple[dict[int, int], int]:
    """Offsets by first fit over the times in which buffers are in use, the largest first, and the size.

    Inputs are in use from the beginning and the output until the end.
    """
    end = len(captured.launches)
    todo = [i for i, buffer in enumerate(captured.buffers) if buffer.role != "constant"]
    offsets: dict[int, int] = {}
    placed: list[tuple[int, int, int, int]] = []  # offset, size, first and last launch
    for i in sorted(todo, key=lambda i: -captured.buffers[i].n_bytes):
        buffer = captured.buffers[i]
        first, last = (0, end) if buffer.role in ("input", "output") else (buffer.first, buffer.last)
        size = -(-buffer.n_bytes // ALIGN) * ALIGN
        at = 0
        for offset, taken, begins, ends in sorted(placed):
            if begins <= last and first <= ends:  # in use at the same time
                if at + size <= offset:
                    break
                at = max(at, offset + taken)
        offsets[i] = at
        placed.append((at, size, first, last))
    return offsets, max((offset + size for offset, size, *_ in placed), default=0)
