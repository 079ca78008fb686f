"""One run in one folder: a lock that goes when the process that holds it goes, however it ends."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

from gattn_tg.errors import ConfigError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
FAR = 1 << 30  # Windows keeps others from reading a locked byte: this one is behind the text


class Lock:
    """Holds a file for this process until `close`, or until the process ends.

    The file stays and says who holds it or held it last. Locks of POSIX records reach other machines over NFS, and
    processes that this one starts do not inherit them. The same process may take a lock twice.

    Args:
        path: The file, in the folder that is locked.

    Attributes:
        is_held: False where the file system knows no locks.

    Raises:
        ConfigError: Another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self.is_held = _take(self._handle)
            if self.is_held:
                os.truncate(path, 0)
                os.write(self._handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        except BlockingIOError:
            holder = os.read(self._handle, 200).decode(errors="replace").strip() or "another process"
            os.close(self._handle)
            raise ConfigError(
                f"{path.parent}: expected a folder that no other run writes to, got one that {holder} trains in; wait "
                "for it, or choose another folder"
            ) from None
        except BaseException:
            os.close(self._handle)
            raise

    def close(self) -> None:
        """Lets go of it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _take(handle: int) -> bool:
    """True when the file is ours, False where there are no locks; BlockingIOError when it is another's."""
    try:
        if sys.platform == "win32":
            os.lseek(handle, FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in BUSY:
            raise BlockingIOError(error.errno, error.strerror) from None
        return False
    return True
