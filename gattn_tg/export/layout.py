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
    return Layout(*constants_of(captured), *_arena(captured))


def constants_of(captured: Captured, held: bytes = b"") -> tuple[bytes, dict[int, int]]:
    """Bytes in which every constant stands, equal ones once, and the place of each constant buffer.

    Args:
        captured: a program.
        held: bytes to begin with, as the weights of another program of the same model; what stands there is not added.
    """
    blob, places, known = bytearray(held), {}, {}
    for i, buffer in enumerate(captured.buffers):
        if buffer.role == "constant":
            if buffer.data not in known:
                at = _found(held, buffer.data)
                if at < 0:
                    blob += bytes(-len(blob) % ALIGN)
                    at = len(blob)
                    blob += buffer.data
                known[buffer.data] = at
            places[i] = known[buffer.data]
    return bytes(blob), places


def _found(held: bytes, data: bytes) -> int:
    """Where bytes stand, at a place that constants can have; -1 where they do not."""
    at = held.find(data) if held else -1
    while at % ALIGN > 0 and at >= 0:
        at = held.find(data, at + 1)
    return at


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
