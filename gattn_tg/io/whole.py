"""Files and folders that are whole or not there: written aside, put on disk, then given their name in one step.

A writer fills `name.part` and moves it over `name`. Where the process dies, what was there before stands there still,
or the new one does. Where a folder cannot be exchanged in one step, the one before waits as `name.old` in between, and
readers take it from there.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gattn_tg.errors import GattnError

PART, OLD = ".part", ".old"  # how names end of what is being written, and of what is about to go
LOOKS, PAUSE_S = 200, 0.005  # a reader looks again for a second while a folder is being replaced,
MISSING = 10  # but a file that is missing so many times is missing
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)  # how file systems say that they do not do this


def beside(path: Path, ending: str) -> Path:
    """The name of a path with an ending behind it."""
    return path.with_name(path.name + ending)


def write_text(path: Path, text: str) -> None:
    """Writes a file in one piece: readers see the old one or the new one."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file in one piece: readers see the old one or the new one."""
    part = beside(path, PART)
    with _cleared(part):
        part.write_bytes(content)
        put_file(part, path)


def put_file(part: Path, path: Path) -> None:
    """Gives a file that is complete its name; what had it before is gone."""
    sync(part)
    os.replace(part, path)
    sync(path.parent)


def write_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Writes a folder in one piece; what had its name before is gone.

    Args:
        path: The folder; the one that it is in exists.
        fill: Writes the files into a folder that is given to it.
    """
    part = beside(path, PART)
    remove(part)
    with _cleared(part):
        part.mkdir()
        fill(part)
        put_folder(part, path)


@contextmanager
def new_folder(folder: Path, header: str, files: Collection[str], *, overwrite: bool) -> Iterator[Path]:
    """A folder to be filled, which gets its name when all is written.

    Args:
        folder: its name; the one that it is in exists.
        header: a file that every folder of the kind has.
        files: all files that one may have.
        overwrite: replace a folder of the kind; anything else there is refused.

    Raises:
        GattnError: the folder exists, or cannot be written.
    """
    folder = Path(os.path.realpath(folder))
    _require_new(folder, header, files, overwrite)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        part.mkdir()
        yield part
        _require_new(folder, header, files, overwrite)  # once more: something may stand there by now
        put_folder(part, folder, replace=overwrite)
    except OSError as error:
        raise GattnError(
            f"{folder}: expected a folder that can be written, got: {(error.strerror or str(error)).lower()}; "
            "check its permissions and the free space"
        ) from error
    finally:
        remove(part)


def _require_new(folder: Path, header: str, files: Collection[str], overwrite: bool) -> None:
    if not folder.exists():
        return
    if not overwrite:
        raise GattnError(f"{folder}: expected a new folder, got one that exists; choose another name or overwrite it")
    held = {p.name for p in folder.iterdir()} if folder.is_dir() else {""}
    if header not in held or held - {*files}:
        raise GattnError(
            f"{folder}: expected a folder with {header} to be replaced, got one that holds something else; "
            "choose another name"
        )


def put_folder(part: Path, path: Path, *, replace: bool = True) -> None:
    """Gives a folder that is complete its name; what had it before is gone, or without `replace` is an error.

    On Linux two folders are exchanged in one step. Elsewhere `path` is missing for an instant, while what it was stands
    beside it under `path.old`, see `opened` and `tidy`.
    """
    for file in part.iterdir():
        sync(file)
    sync(part)
    if not replace or not path.exists():
        os.rename(part, path)  # fails where a file or a folder with something in it stands
        sync(path.parent)
    elif _exchanged(part, path):
        sync(path.parent)
        remove(part)
    else:
        old = beside(path, OLD)
        remove(old)
        os.rename(path, old)
        os.rename(part, path)
        sync(path.parent)
        remove(old)


def tidy(path: Path) -> None:
    """Puts right what a killed writer left beside a file or folder: the old one comes back, the rest goes."""
    old = beside(path, OLD)
    if old.exists() and not path.exists():
        os.rename(old, path)
    remove(old)
    remove(beside(path, PART))


def remove(path: Path) -> None:
    """Removes a file, or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Removes a folder that must never be seen in part: under its own name it is whole until it is gone."""
    old = beside(path, OLD)
    remove(old)
    os.rename(path, old)
    remove(old)


def sync(path: Path) -> None:
    """Puts a file, or the names in a folder, on disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no handle of a folder to flush; its file system writes names in order
    if path.is_dir():
        try:
            handle = os.open(path, os.O_RDONLY)
        except PermissionError:
            return  # a folder that may be written to and not read, such as a letter box: its names cannot be flushed
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in _CANNOT:  # network file systems that flush names by themselves say so
                raise
        finally:
            os.close(handle)
        return
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def opened(folder: Path, names: Sequence[str], optional: Sequence[str] = ()) -> Iterator[dict[str, BinaryIO]]:
    """Opens files of a folder that all belong together, even while a writer puts another folder in its place.

    Args:
        folder: What `write_folder` writes.
        names: Files in it.
        optional: Files that may be in it; those that are not there are left out.

    Raises:
        OSError: A file is missing or cannot be read.
    """
    missing = 0
    for _ in range(LOOKS):
        place = folder if folder.exists() else beside(folder, OLD)
        with ExitStack() as stack:
            try:
                before = os.stat(place)
                there = [*names, *(name for name in optional if (place / name).is_file())]
                files: dict[str, BinaryIO] = {name: stack.enter_context((place / name).open("rb")) for name in there}
                same = (os.path.samestat(os.fstat(f.fileno()), os.stat(f.name)) for f in files.values())
                if all(same) and os.path.samestat(before, os.stat(place)):
                    kept = stack.pop_all()
                    break
            except FileNotFoundError:
                missing += 1
                if missing == MISSING:
                    raise
        time.sleep(PAUSE_S)
    else:
        raise OSError(errno.EBUSY, "it is replaced faster than it can be read", str(folder))
    with kept:
        yield files


@contextmanager
def _cleared(part: Path) -> Iterator[None]:
    """After an error nothing half written stays; that error is what the user must see, not one of clearing up."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            remove(part)
        raise


def _exchanged(one: Path, other: Path) -> bool:
    """Swaps two names in one step; False where the system cannot, and then nothing has changed."""
    if sys.platform != "linux":
        return False
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library without it
        return False
    sys.audit("os.rename", str(one), str(other), -1, -1)
    if swap(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    if (number := ctypes.get_errno()) in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))
