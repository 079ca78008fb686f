"""What a CUDA binary says about its kernels, read from the ELF file itself: no tool of the CUDA kit is needed."""

from __future__ import annotations

import struct
from dataclasses import dataclass

REGISTERS, FRAME = 0x2F, 0x11  # attributes of section .nv.info: (index of a symbol, value)
SIZED = 0x04  # an attribute whose value has a length of its own
SYMBOLS = 2  # type of the section of symbols


@dataclass(frozen=True)
class Usage:
    """What one kernel takes.

    Args:
        registers: registers of a thread.
        stack_bytes: memory of a thread for arrays that did not fit into registers, and for spilled registers.
        shared_bytes: shared memory of a group.
    """

    registers: int
    stack_bytes: int
    shared_bytes: int


def usage(cubin: bytes) -> dict[str, Usage]:
    """Usage of every kernel of a 64-bit CUDA binary, by name."""
    assert cubin[:5] == b"\x7fELF\x02", "no 64-bit ELF file"
    (start,) = struct.unpack_from("<Q", cubin, 40)
    size, count, names = struct.unpack_from("<HHH", cubin, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", cubin, start + i * size) for i in range(count)]
    text = headers[names][4]
    sections = {_string(cubin, text + header[0]): header for header in headers}

    (symbols,) = [header for header in headers if header[1] == SYMBOLS]
    strings = headers[symbols[6]][4]
    name_of = [
        _string(cubin, strings + struct.unpack_from("<I", cubin, symbols[4] + at)[0])
        for at in range(0, symbols[5], symbols[9])
    ]
    found: dict[str, dict[int, int]] = {}
    *_, offset, length, _, _, _, _ = sections[".nv.info"]
    for attribute, value in _attributes(cubin[offset : offset + length]):
        if attribute in (REGISTERS, FRAME):
            symbol, number = struct.unpack("<II", value)
            found.setdefault(name_of[symbol], {})[attribute] = number
    return {
        name: Usage(numbers[REGISTERS], numbers[FRAME], sections.get(f".nv.shared.{name}", (0,) * 10)[5])
        for name, numbers in found.items()
        if f".text.{name}" in sections
    }


def _attributes(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(data):
        kind, attribute, value = struct.unpack_from("<BBH", data, at)
        at += 4
        if kind == SIZED:
            found.append((attribute, data[at : at + value]))
            at += value
    return found


def _string(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()
