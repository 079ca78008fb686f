"""Blocked gzip (bgzip), written: gzip for every reader, and open to random access.

Source: SAM specification, section 4.1.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gattn_tg.io.source import BGZF_EOF

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BLOCK_BYTES = 0xFF00
"""Text of every block but the last; as htslib has it, so that what cannot be compressed still fits a block."""
COMPRESSION = 6  # of zlib; 9 takes three times as long for one percent

_HEADER = bytes.fromhex("1f8b08040000000000ff060042430200")


class BgzfWriter(io.RawIOBase):
    """Packs what is written to it into blocks; equal bytes give equal files, since no time is kept.

    Args:
        raw: where the blocks go; `close` writes the last ones and leaves it open.
    """

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        self._held += data
        while len(self._held) >= BLOCK_BYTES:
            self._block(bytes(self._held[:BLOCK_BYTES]))
            del self._held[:BLOCK_BYTES]
        return memoryview(data).nbytes

    def close(self) -> None:
        if self.closed:
            return
        try:
            if self._held:
                self._block(bytes(self._held))
                self._held.clear()
            self._raw.write(BGZF_EOF)
        finally:
            super().close()

    def _block(self, text: bytes) -> None:
        packer = zlib.compressobj(COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = packer.compress(text) + packer.flush()
        size = len(_HEADER) + 2 + len(packed) + 8
        self._raw.write(_HEADER + struct.pack("<H", size - 1) + packed)
        self._raw.write(struct.pack("<II", zlib.crc32(text), len(text)))


def block_starts(path: Path) -> list[int]:
    """Return where the blocks of a file of `BgzfWriter` begin, the empty last one included."""
    starts = []
    with path.open("rb") as file:
        at = 0
        while head := file.read(len(_HEADER) + 2):
            starts.append(at)
            at += struct.unpack("<H", head[-2:])[0] + 1
            file.seek(at)
    return starts
