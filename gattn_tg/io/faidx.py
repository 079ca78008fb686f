"""Letters at any place of a FASTA file through its index, which is checked against the file wherever it is used."""

from __future__ import annotations

import bisect
from pathlib import Path
from typing import Any

from gattn_tg.errors import FormatError, GattnError, MissingExtraError

HEADER_BYTES, MAX_HEADER_BYTES = 1 << 8, 1 << 20  # read before a contig to find its header
AFTER_BYTES = 64  # read after a contig: the end of the file or, behind empty lines, a header
LINE_ENDS = b"\r\n"


class Faidx:
    """The little of pyfaidx that is needed, its errors told as ours.

    A date says nothing about whether an index is that of the file (`cp -p` and `rsync -t` keep dates), so the header
    before a contig, the end of a contig and every line end inside what is read must stand where the index has them.

    Args:
        path: plain or bgzip.
        index: where the index is or will be; `path` with `.fai` when None.

    Attributes:
        sizes: bases of every contig.

    Raises:
        FormatError: lines of unequal length, a damaged file, or an index of another file.
        GattnError: the index cannot be written.
        MissingExtraError: pyfaidx, or for bgzip Biopython, is not installed.
    """

    def __init__(self, path: Path, index: str | Path | None) -> None:
        self.path = path
        self.file = _opened(path, index)
        self.sizes = {str(name): int(entry.rlen) for name, entry in self.file.index.items()}
        self._checked: set[str] = set()
        if not self.sizes or min(self.sizes.values()) < 1:
            self.close()
            raise FormatError(
                f"{path}: expected at least one record with a sequence, got an empty one; is this a FASTA file?"
            )
        last = max(self.file.index, key=lambda name: int(self.file.index[name].offset))
        try:
            self._check(str(last), at_end=True)
        except FormatError:
            self.close()
            raise

    def __call__(self, chrom: str, start: int, end: int) -> bytes:
        """Return the letters of a place, which is on the contig.

        Raises:
            FormatError: the index does not fit the file.
        """
        if chrom not in self._checked:
            self._check(chrom)
        entry = self.file.index[chrom]
        raw = self._bytes(_byte(entry, start), _byte(entry, end - 1) + 1)
        found = raw.translate(None, LINE_ENDS)
        first = entry.lenc - start % entry.lenc  # of the line ends
        line_ends = (raw[first + k :: entry.lenb] for k in range(entry.lenb - entry.lenc))
        if len(found) != end - start or any(ends.translate(None, LINE_ENDS) for ends in line_ends):
            raise self._misfit(f"{chrom}:{start}-{end} has lines of another length")
        return found

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _check(self, chrom: str, *, at_end: bool = False) -> None:
        """Refuse a contig that does not begin or end where the index has it; `at_end`, one that is not the last."""
        entry = self.file.index[chrom]
        if not (0 < entry.lenc <= entry.lenb <= entry.lenc + 2 and entry.offset > 0):
            raise self._misfit(f"{chrom} has lines of {entry.lenc} bases in {entry.lenb} bytes")
        header = self._header(entry.offset)
        name = header[1:].decode("utf-8", errors="replace").split()[:1]
        if header[:1] != b">" or name != [chrom]:
            raise self._misfit(f"{chrom} does not begin at byte {entry.offset}")
        ends = _byte(entry, entry.rlen - 1) + 1
        after = self._bytes(ends, ends + AFTER_BYTES)
        text = after.lstrip()
        if text and (at_end or text == after or text[:1] != b">"):
            raise self._misfit(f"{chrom} does not end at byte {ends}" if not at_end else f"text follows {chrom}")
        self._checked.add(chrom)

    def _header(self, ends: int) -> bytes:
        """The line before a byte."""
        size = HEADER_BYTES
        while True:
            before = self._bytes(max(ends - size, 0), ends)
            _, line_end, header = before[:-1].rpartition(b"\n")
            if line_end or size >= min(ends, MAX_HEADER_BYTES):
                return header if before.endswith(b"\n") else b""
            size *= 4

    def _bytes(self, first: int, last: int) -> bytes:
        file = self.file.file
        try:
            with self.file.lock:
                if self.file._bgzf:
                    block = self.file.gzi_index[bisect.bisect_right(_Starts(self.file.gzi_index), first) - 1]
                    file.seek(int(block.cstart) << 16 | int(first - block.ustart))
                else:
                    file.seek(first)
                return bytes(file.read(last - first))
        except Exception as error:  # whatever a damaged file or index makes the libraries meet
            raise FormatError(
                f"{self.path}, bytes {first} to {last}: expected a file that fits its index, got: "
                f"{_told(error)}; delete the .fai and .gzi, or fetch the file again"
            ) from error

    def _misfit(self, why: str) -> FormatError:
        return FormatError(
            f"{self.path}: expected the index of this file, got one that does not fit ({why}); "
            f"delete {self.file.indexname}, or rewrap the file"
        )


class _Starts:
    """Where the blocks of a bgzip file begin in the text, as a sequence that can be searched."""

    def __init__(self, blocks: list[Any]) -> None:
        self.blocks = blocks

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, k: int) -> int:
        return int(self.blocks[k].ustart)


def _byte(entry: Any, base: int) -> int:
    """Where a base of a contig stands in the text of the file."""
    return int(entry.offset + base // entry.lenc * entry.lenb + base % entry.lenc)


def _opened(path: Path, index: str | Path | None) -> Any:
    try:
        import pyfaidx
    except ImportError as missing:
        raise MissingExtraError(
            "io.genome: expected pyfaidx to read a FASTA file at any place, but it is not installed; "
            'pip install "gattn_tg[genomics]"'
        ) from missing
    try:
        return pyfaidx.Faidx(
            str(path), indexname=None if index is None else str(index), as_raw=True, strict_bounds=True
        )
    except ImportError as missing:
        raise MissingExtraError(
            "io.genome: expected Biopython to read bgzip, but it is not installed; "
            'pip install "gattn_tg[genomics]"'
        ) from missing
    except Exception as error:  # pyfaidx raises whatever a damaged file makes it meet
        if "writable" in str(error):
            place = f"{path}.fai" if index is None else str(index)
            raise GattnError(
                f"{path}: expected an index, but {place} cannot be written; say where with index=, or make it "
                "with samtools faidx"
            ) from error
        raise FormatError(
            f"{path}: expected FASTA with lines of equal length for random access, got: {_told(error)}; "
            "rewrap the file, and delete its .fai if there is one"
        ) from error


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
