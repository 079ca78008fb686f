"""Where bytes come from: a file, a pipe or standard input, opened once, so that nothing of a pipe is lost."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from gattn_tg.errors import FormatError

STDIN = Path("-")
"""The name that means standard input."""
GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 18  # as many as a bgzip block needs to show what it is
BUFFER_BYTES = 1 << 16
BGZF_EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that ends every bgzip file (SAM specification, section 4.1.2)."""

UNREADABLE = {
    b"PK\x03\x04": "a zip archive (or a spreadsheet)",
    b"\xfd7zXZ\x00": "an xz file",
    b"BZh": "a bzip2 file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
UTF8_BOM = b"\xef\xbb\xbf"
FILE_KINDS = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISDIR: "a folder",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


class Source:
    """The text of a plain, gzip or bgzip file, recognised by its content and read once from its start to its end.

    Args:
        path: a file, a pipe, or "-" for standard input (a file of that name needs its folder: `/home/me/-`).

    Raises:
        FormatError: it cannot be opened, is compressed in another way, or is a bgzip file without its last block.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._line = 0
        with self._told():
            self._raw = _Remembering(_opened(self.path))
            try:
                head = self._raw.peeked(HEAD_BYTES)
                self._is_bgzip = is_bgzip(head)
                self._check(head)
            except BaseException:
                self._raw.close()
                raise
        self._file = _unpacked(self._raw) if head.startswith(GZIP_MAGIC) else self._raw
        self._text = io.BufferedReader(self._file, BUFFER_BYTES)

    def first(self) -> bytes:
        """Return the first byte that is not blank, b"" where there is none, without taking it away."""
        with self._told():
            n = len(UTF8_BOM) + 1
            while True:
                seen = self._file.peeked(n)
                text = seen.removeprefix(UTF8_BOM).strip()
                if text or len(seen) < n:
                    return text[:1]
                n += len(seen)

    def pieces(self, most: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield (line number from 1, bytes of the line before, piece of at most `most` bytes, line end included).

        A byte order mark is dropped. Memory does not follow the length of a line.

        Raises:
            FormatError: the gzip stream is cut or damaged, or reading fails.
        """
        read, number, at = self._text.readline, 1, 0
        with self._told():
            while piece := read(most):
                self._line = number
                ends = piece.endswith(b"\n")
                if number == 1 and not at:
                    piece = piece.removeprefix(UTF8_BOM)
                yield number, at, piece
                if ends:
                    number, at = number + 1, 0
                else:
                    at += len(piece)
            if self._is_bgzip and self._raw.tail != BGZF_EOF:
                raise _no_end(self.path)

    def _check(self, head: bytes) -> None:
        for magic, what in UNREADABLE.items():
            if head.startswith(magic):
                raise FormatError(f"{self.path}: expected plain or gzip text, got {what}; convert it first")
        if self._is_bgzip and self._raw.is_regular:
            check_bgzip_end(self.path)  # before anything is made of it

    def close(self) -> None:
        """Close the file; standard input stays open."""
        self._text.close()
        self._raw.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except EOFError as error:
            raise FormatError(
                f"{self.path}, after line {self._line}: expected a complete gzip stream, but it ends early; "
                "fetch or compress the file again"
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise FormatError(
                f"{self.path}, after line {self._line}: expected an undamaged gzip stream, got {error}; "
                "fetch or compress the file again"
            ) from error
        except OSError as error:
            raise unreadable(self.path, error) from error


class _Remembering(io.RawIOBase):
    """A stream whose beginning can be looked at before it is read, and which knows its last bytes."""

    def __init__(self, file: BinaryIO | gzip.GzipFile) -> None:
        self._file = file
        # Of a damaged gzip stream, what comes before the damage is read; read() would throw it away.
        self._read: Callable[[int], bytes | None] = file.read1 if isinstance(file, gzip.GzipFile) else file.read
        self._held = b""
        self.tail = b""

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)

    def peeked(self, n: int) -> bytes:
        """The next `n` bytes, fewer at the end."""
        while len(self._held) < n and (more := self._next(n - len(self._held))):
            self._held += more
        return self._held[:n]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._held:
            found, self._held = self._held[: len(buffer)], self._held[len(buffer) :]
        else:
            found = self._next(len(buffer))
        buffer[: len(found)] = found
        self.tail = (self.tail + found)[-len(BGZF_EOF) :]
        return len(found)

    def _next(self, n: int) -> bytes:
        found = self._read(n)
        if found is None:  # nothing yet, which is not the end
            raise OSError("a stream that waits for its data is needed; it is set to non-blocking")
        return found

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.close()


def _unpacked(raw: _Remembering) -> _Remembering:
    buffered = cast(BinaryIO, io.BufferedReader(raw, BUFFER_BYTES))
    return _Remembering(gzip.GzipFile(fileobj=buffered, mode="rb"))


def opened(path: str | Path | Source) -> Source:
    """A source that is open already, or that of a path."""
    return path if isinstance(path, Source) else Source(path)


def require_regular(path: str | Path, why: str) -> None:
    """Refuse what cannot be read at any place: standard input, pipes, folders, devices.

    Args:
        path: the file.
        why: what it is needed for, for the message.

    Raises:
        FormatError: anything else that there is.
    """
    if Path(path) == STDIN:
        kind = "standard input"
    else:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            return  # who opens it says why
        if stat.S_ISREG(mode):
            return
        kind = next((name for is_one, name in FILE_KINDS.items() if is_one(mode)), "something else")
    raise FormatError(
        f"{path}: expected a regular file, because {why}, got {kind}; write it to a file first"
    )


class Rereading:
    """Refuses to read again what can be read once only.

    Args:
        path: a file, a pipe, or - for standard input.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._is_read = path, False

    def begin(self) -> None:
        """A reading from the start begins.

        Raises:
            FormatError: the second one of a pipe.
        """
        if self._is_read and (self.path == STDIN or not self.path.is_file()):
            raise FormatError(
                f"{self.path}: expected a file that can be read again, got a pipe, which is read once; "
                "write it to a file first"
            )
        self._is_read = True


def unreadable(path: Path, error: OSError) -> FormatError:
    """What is said of a file that cannot be opened or read."""
    reason = (error.strerror or str(error)).lower()
    return FormatError(f"{path}: expected a readable file, got: {reason}; check the path")


def is_bgzip(head: bytes) -> bool:
    """Whether the first gzip member carries the extra field `BC` of length 2, as every bgzip block does."""
    return head.startswith(GZIP_MAGIC + b"\x08\x04") and head[12:16] == b"BC\x02\x00"


def check_bgzip_end(path: Path) -> None:
    """Refuse a bgzip file without its last block.

    A bgzip file cut between two blocks is a valid gzip file; only the missing last block tells.
    """
    with path.open("rb") as raw:
        raw.seek(max(path.stat().st_size - len(BGZF_EOF), 0))
        end = raw.read()
    if end != BGZF_EOF:
        raise _no_end(path)


def _no_end(path: Path) -> FormatError:
    return FormatError(
        f"{path}: expected a bgzip file with its end-of-file block, but that block is missing, "
        "so the file is probably cut; fetch or compress it again"
    )


def _opened(path: Path) -> BinaryIO:
    if path != STDIN:
        return path.open("rb")
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return cast(BinaryIO, open(os.dup(sys.stdin.fileno()), "rb"))
