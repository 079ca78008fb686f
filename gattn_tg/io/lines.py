"""Text files line by line: plain, gzip or bgzip, recognised by their content and not by their name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from gattn_tg.errors import FormatError

GZIP_MAGIC = b"\x1f\x8b"
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


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line) without the line end; Windows line ends and a byte order mark are dropped.

    Raises:
        FormatError: the file cannot be opened, is compressed in another way, or its gzip stream is cut or damaged.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            head = raw.read(18)
            for magic, what in UNREADABLE.items():
                if head.startswith(magic):
                    raise FormatError(
                        f"{path}: plain or gzip text is required, but came {what}; convert it first"
                    )
            if is_bgzip(head):
                check_bgzip_end(path)
        with gzip.open(path, "rb") if head.startswith(GZIP_MAGIC) else path.open("rb") as handle:
            for number, line in enumerate(handle, start=1):
                if number == 1 and line.startswith(UTF8_BOM):
                    line = line.removeprefix(UTF8_BOM)
                yield number, line.rstrip(b"\r\n")
    except EOFError as error:
        raise FormatError(
            f"{path}, after line {number}: a complete gzip stream is required, but it ends early; "
            "fetch or compress the file again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(
            f"{path}, after line {number}: an undamaged gzip stream is required, but came {error}; "
            "fetch or compress the file again"
        ) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FormatError(
            f"{path}: a readable file is required, but came: {reason}; check the path"
        ) from error


def is_bgzip(head: bytes) -> bool:
    """Whether the first gzip member carries the extra field `BC` of length 2, as every bgzip block does."""
    return head.startswith(GZIP_MAGIC + b"\x08\x04") and head[12:16] == b"BC\x02\x00"


def check_bgzip_end(path: Path) -> None:
    # A bgzip file cut between two blocks is a valid gzip file; only the missing last block tells.
    with path.open("rb") as raw:
        raw.seek(max(path.stat().st_size - len(BGZF_EOF), 0))
        end = raw.read()
    if end != BGZF_EOF:
        raise FormatError(
            f"{path}: a bgzip file with its end-of-file block is required, but that block is missing, "
            "so the file is probably cut; fetch or compress it again"
        )
