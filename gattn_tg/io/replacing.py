"""Writing without losing data: a temporary file beside the target, moved over it only when complete."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from gattn_tg.errors import GattnError
from gattn_tg.io.bgzf import BgzfWriter
from gattn_tg.io.whole import put_file


@contextmanager
def replacing(path: str | Path, *, overwrite: bool = False) -> Iterator[TextIO]:
    """Open a UTF-8 text file that appears under its name only when the block ends without an error.

    Until then, and after any error, whatever stood at `path` stands there unchanged. A name that ends in `.gz` is
    packed in blocks as bgzip does, with no time stamp inside, so equal text gives equal bytes.

    Args:
        path: the file; a symbolic link is followed.
        overwrite: replace an existing file; without it an existing file is refused.

    Raises:
        GattnError: the file exists, is not a regular file, or cannot be written.
    """
    with replacing_path(path, overwrite=overwrite) as temporary, text_file(temporary, Path(path)) as text:
        yield text


@contextmanager
def text_file(temporary: Path, path: Path) -> Iterator[TextIO]:
    """Open a new UTF-8 text file; it is packed as bgzip does when the name it will get ends in `.gz`."""
    with temporary.open("xb") as raw, _packing(raw, path.suffix) as packed:
        text = io.TextIOWrapper(packed, encoding="utf-8", newline="\n")
        try:
            yield text
        finally:
            text.detach()  # flushes, and leaves closing to the blocks around


def _packing(raw: BinaryIO, suffix: str) -> AbstractContextManager[BinaryIO]:
    return cast(AbstractContextManager[BinaryIO], BgzfWriter(raw) if suffix == ".gz" else nullcontext(raw))


@contextmanager
def replacing_path(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a name beside the target to write to; what stands there is moved over the target when the block ends well.

    Args:
        path: the file; a symbolic link is followed.
        overwrite: replace an existing file; without it an existing file is refused.

    Raises:
        GattnError: the file exists, is not a regular file, or cannot be written.
    """
    shown, path = Path(path), Path(os.path.realpath(path))
    require_new(shown, overwrite=overwrite)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        require_new(shown, overwrite=overwrite)
        put_file(temporary, path)
    except OSError as error:
        raise GattnError(
            f"{shown}: expected a file that can be written, got: {(error.strerror or str(error)).lower()}; "
            "check the folder, its permissions and the free space"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def require_new(path: Path, *, overwrite: bool) -> None:
    """Refuse a name that is taken; a symbolic link is followed.

    Raises:
        GattnError: a file is there and is not to be replaced, or something that is no regular file.
    """
    if path.exists() and not path.is_file():
        raise GattnError(f"{path}: expected a regular file, got a folder or device; choose another name")
    if path.exists() and not overwrite:
        raise GattnError(f"{path}: expected a new file, got one that exists; choose another name or overwrite it")
