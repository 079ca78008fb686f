"""Lowered and compiled kernels on disk, each under a checksum: a damaged entry is made again and never runs.

tinygrad keeps what it compiled in a database, unpickles whatever it finds there and calls it: one flipped bit and the
process dies of a segmentation fault, and where the folder cannot be written nothing works at all. `programs.py` puts
this store in its place. It keeps a database of its own beside tinygrad's; where there can be none
(a read-only home, a full disk), kernels are compiled anew in every process, and a warning says so once.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gattn_tg.errors import CacheWarning
from gattn_tg.machine import toolchain

T = TypeVar("T")
NAME = "gattn_tg.db"
ENDINGS = ("", "-journal", "-wal", "-shm")  # of the files of one database
DIGEST_BYTES = 32  # of SHA-256
WAIT_S = 60  # for another process that writes
MOST_BYTES = 512 << 20  # a model has about a hundred kernels of some 50 kB each
PUTS_PER_LOOK = 32  # at the size
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def folder() -> Path:
    """Where the database is: the folder of CACHEDB, else `tinygrad` in XDG_CACHE_HOME or in the cache of the home."""
    if named := toolchain.variable("CACHEDB"):
        return Path(named).absolute().parent
    cache = toolchain.variable("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(cache) / "tinygrad"


def is_off() -> bool:
    """Whether the user wants nothing to be kept: GATTN_CACHE=0."""
    return toolchain.variable("GATTN_CACHE") == "0"


def refusal(place: Path | None = None) -> str:
    """Why no kernels can be kept on disk here; empty where they can."""
    place = folder() if place is None else place
    if not place.is_absolute():
        return f"{place} is no absolute path"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"{place}: {(error.strerror or str(error)).lower()}"


class Store:
    """Values by name in a database; a value that is not what was put there is None, as is one that never was.

    Args:
        place: Folder of the database; it is made.
    """

    def __init__(self, place: Path) -> None:
        self.place, self.path = place, place / NAME
        self._lock = threading.RLock()
        self._open: tuple[int, sqlite3.Connection] | None = None
        self.is_off = is_off()
        self._n_puts = 0

    def get(self, name: str) -> Any:
        """What was put under a name."""
        row = self._do(lambda db: db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone())
        if row is None:
            return None
        value = row[0] if isinstance(row[0], bytes) else b""
        if value[:DIGEST_BYTES] != _digest(name, value[DIGEST_BYTES:]):
            self._do(lambda db: db.execute("DELETE FROM kept WHERE name = ?", (name,)))
            return None
        return pickle.loads(value[DIGEST_BYTES:])

    def put(self, name: str, value: Any) -> None:
        """Keeps a value, if that is possible."""
        content = pickle.dumps(value)
        row = (name, _digest(name, content) + content)
        self._do(lambda db: db.execute("REPLACE INTO kept (name, value) VALUES (?, ?)", row))
        if self._n_puts % PUTS_PER_LOOK == 0:
            self._do(_bound)
        self._n_puts += 1

    def size(self) -> tuple[int, int]:
        """Number of values, and the bytes that they take."""
        return self._do(lambda db: (db.execute("SELECT count(*) FROM kept").fetchone()[0], _used(db))) or (0, 0)

    def clear(self) -> None:
        """Throws everything away.

        Raises:
            OSError: The file cannot be removed.
        """
        self._close()
        for ending in ENDINGS:
            Path(f"{self.path}{ending}").unlink(missing_ok=True)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """One transaction; a damaged database is thrown away, once, and made anew."""
        with self._lock:
            for is_last in (False, True):
                if self.is_off:
                    return None
                try:
                    with self._connection() as db:
                        return work(db)
                except (sqlite3.Error, OSError) as error:
                    self._close()
                    if is_last or getattr(error, "sqlite_errorcode", 0) & 0xFF not in DAMAGE:
                        self._give_up(error)
                    else:
                        self._discard()
        return None

    def _connection(self) -> sqlite3.Connection:
        if self._open is None or self._open[0] != os.getpid():  # a connection does not survive a fork
            if not self.place.is_absolute():
                raise OSError(f"{self.place} is no absolute path")
            self.place.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=WAIT_S, check_same_thread=False)
            self._open = os.getpid(), db
            db.execute("PRAGMA synchronous = OFF")  # what a power cut damages is found and made anew
            db.execute("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value BLOB)")
        return self._open[1]

    def _close(self) -> None:
        if self._open is not None and self._open[0] == os.getpid():
            self._open[1].close()
        self._open = None

    def _discard(self) -> None:
        try:
            self.clear()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.is_off = True
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        warnings.warn(
            f"cache of compiled kernels: {self.path} cannot be used ({reason.lower()}); kernels are compiled anew in "
            "every process; set XDG_CACHE_HOME to a folder that can be written",
            CacheWarning,
            stacklevel=2,
        )


def _used(db: sqlite3.Connection) -> int:
    """Bytes of a database, without those that are free for what comes."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _bound(db: sqlite3.Connection) -> None:
    """Forgets the older half of a database that has grown too large."""
    if _used(db) > MOST_BYTES:
        oldest = "SELECT rowid FROM kept ORDER BY rowid LIMIT (SELECT (count(*) + 1) / 2 FROM kept)"
        db.execute(f"DELETE FROM kept WHERE rowid IN ({oldest})")


def _digest(name: str, content: bytes) -> bytes:
    """Of the name too: a value under another name is as wrong as a damaged one."""
    return hashlib.sha256(name.encode() + b"\0" + content).digest()
