"""Processes that train together: alone, or many through MPI."""

from __future__ import annotations

import os
import stat
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

import numpy as np
from tinygrad.helpers import PARALLEL

from gattn_tg.errors import ConfigError, GattnError, MissingExtraError
from gattn_tg.types import Float

if sys.platform != "win32":
    import fcntl
    import termios

FAILED, INTERRUPTED = 2, 130  # exit codes, as the command line has them
LEFT_TO_FIRST_S = 2.0  # seconds in which the first rank may meet the same error, and remove what it has begun to write
UNREAD_S, PASSED_ON_S = 5.0, 0.1  # how long a launcher may take to read a message, and to pass it on
BUCKET = 2**20  # float32 that travel together, 4 MiB: latency no longer counts, and the copies stay in a cache

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


class Communicator(Protocol):
    """What a training step and a run need of the other processes; every rank makes the same calls in the same order.

    Args:
        rank: This process, 0 <= rank < n_ranks; rank 0 writes the files.
        n_ranks: Processes.
    """

    rank: int
    n_ranks: int

    def sum_in_place(self, arrays: Sequence[Float[np.ndarray, "..."]]) -> None:
        """Replaces every array by its sum over all ranks."""

    def share(self, arrays: Mapping[int, Sequence[Float[np.ndarray, "..."]]]) -> None:
        """Replaces the arrays under each rank by those that this rank has."""

    def from_first(self, value: T) -> T:
        """The value of rank 0, on every rank."""

    def any(self, flag: bool) -> bool:
        """True when the flag of some rank is."""

    def over(self, function: Callable[[A], B], items: Sequence[A]) -> list[B]:
        """`function(item)` of every item in their order, on every rank; the ranks take turns in computing them."""

    def require_equal(self, what: str, digest: str) -> None:
        """Raises ConfigError on every rank unless all have the same digest."""

    def __enter__(self) -> Communicator: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Alone:
    """One process: every sum is what it is already."""

    rank, n_ranks = 0, 1

    def sum_in_place(self, arrays: Sequence[Float[np.ndarray, "..."]]) -> None:
        """Nothing to add."""

    def share(self, arrays: Mapping[int, Sequence[Float[np.ndarray, "..."]]]) -> None:
        """Nobody to share with."""

    def from_first(self, value: T) -> T:
        """The value."""
        return value

    def any(self, flag: bool) -> bool:
        """The flag."""
        return flag

    def over(self, function: Callable[[A], B], items: Sequence[A]) -> list[B]:
        """All of it."""
        return [function(item) for item in items]

    def require_equal(self, what: str, digest: str) -> None:
        """One process equals itself."""

    def __enter__(self) -> Alone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""


class Mpi:
    """The processes that `mpiexec` or `srun` started, through mpi4py.

    As a context it tells of an exception that leaves it and ends all processes: none waits for one that has gone. An
    error that all of them meet is told once, by rank 0, which has removed its unfinished files by then.

    Raises:
        MissingExtraError: mpi4py is not installed, or finds no MPI library.

    Numerics: sums go over the ranks in their order, ((x0 + x1) + x2) + ..., each piece of the arrays on one rank, so
        every rank gets the same bits, the ones of adding up in one process. As much travels as in a ring: twice the
        size of the arrays.
    """

    def __init__(self) -> None:
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:
            raise MissingExtraError(
                f"train: expected mpi4py and an MPI library for several processes, but {error}; "
                'pip install "gattn_tg[mpi]"'
            ) from error
        PARALLEL.value = 0  # tinygrad would start compiler processes, which hang inside MPI
        self._mpi: Any = MPI
        self._world: Any = MPI.COMM_WORLD
        self.rank, self.n_ranks = int(self._world.rank), int(self._world.size)
        neighbours = self._world.Split_type(MPI.COMM_TYPE_SHARED)
        self.local_rank, self.n_local = int(neighbours.rank), int(neighbours.size)  # on this machine
        neighbours.Free()

    def sum_in_place(self, arrays: Sequence[Float[np.ndarray, "..."]]) -> None:
        """Replaces every float32 array by its sum over all ranks, in buckets of `BUCKET` numbers."""
        for bucket in _buckets(arrays):
            flat = np.concatenate(bucket)
            length = -(-len(flat) // self.n_ranks)
            mine = np.zeros((self.n_ranks, length), np.float32)  # row r: what rank r will add up
            mine.reshape(-1)[: len(flat)] = flat
            theirs = np.empty_like(mine)
            self._world.Alltoall(mine, theirs)
            total = theirs[0]
            for row in theirs[1:]:
                total = total + row
            self._world.Allgather(np.ascontiguousarray(total), mine)
            _spread(mine.reshape(-1), bucket)

    def share(self, arrays: Mapping[int, Sequence[Float[np.ndarray, "..."]]]) -> None:
        """Replaces the arrays under each rank by those that this rank has, in buckets."""
        for owner in sorted(arrays):
            for bucket in _buckets(arrays[owner]):
                flat = np.concatenate(bucket)
                self._world.Bcast(flat, root=owner)
                if owner != self.rank:
                    _spread(flat, bucket)

    def from_first(self, value: T) -> T:
        """The value of rank 0, on every rank; it must be picklable."""
        received: T = self._world.bcast(value, root=0)
        return received

    def any(self, flag: bool) -> bool:
        """True when the flag of some rank is."""
        return bool(self._world.allreduce(bool(flag), op=self._mpi.LOR))

    def over(self, function: Callable[[A], B], items: Sequence[A]) -> list[B]:
        """The results of all ranks, which travel pickled."""
        mine = [function(item) for item in items[self.rank :: self.n_ranks]]
        found = self._world.allgather(mine)
        return [found[k % self.n_ranks][k // self.n_ranks] for k in range(len(items))]

    def require_equal(self, what: str, digest: str) -> None:
        """Raises ConfigError on every rank unless all have the same digest."""
        digests = self._world.allgather(digest)
        for rank, other in enumerate(digests):
            if other != digests[0]:
                raise ConfigError(
                    f"train: expected the same {what} on every rank, but rank {rank} differs from rank 0; "
                    "start all ranks with the same files, settings, seed and version of gattn_tg"
                )

    def __enter__(self) -> Mpi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        if self.rank:
            time.sleep(LEFT_TO_FIRST_S)  # its Abort ends this process
        said = [f"{error}\n"] if isinstance(error, GattnError) else traceback.format_exception(error)
        sys.stderr.write(f"gattn: rank {self.rank} of {self.n_ranks}: " + "".join(said))
        sys.stderr.flush()
        _wait_until_read(sys.stderr.fileno())
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
        self._world.Abort(code)
        os._exit(code)  # where Abort returns (MPICH), the command line would tell of the error again


def _wait_until_read(stream: int) -> None:
    """Waits until the launcher has taken what was written: `Abort` ends it, and it shows nothing that it has not read.

    A pipe tells how many bytes nobody has read yet; of anything else (a terminal) only the time is waited.
    """
    if sys.platform != "win32" and stat.S_ISFIFO(os.fstat(stream).st_mode):
        unread, until = bytearray(b"some"), time.monotonic() + UNREAD_S  # a C int: 0 when all is read
        while any(unread) and time.monotonic() < until:
            fcntl.ioctl(stream, termios.FIONREAD, unread)
            time.sleep(PASSED_ON_S)
    time.sleep(PASSED_ON_S)  # from the launcher's reader on this machine to the process that shows it


def _buckets(arrays: Sequence[Float[np.ndarray, "..."]]) -> list[list[np.ndarray]]:
    """Flat views of the arrays in their order, cut where a bucket is full."""
    buckets: list[list[np.ndarray]] = [[]]
    room = BUCKET
    for array in arrays:
        flat = array.reshape(-1)  # of contiguous memory: a view
        while len(flat):
            if room == 0:
                buckets.append([])
                room = BUCKET
            piece, flat = flat[:room], flat[room:]
            buckets[-1].append(piece)
            room -= len(piece)
    return [bucket for bucket in buckets if bucket]


def _spread(flat: Float[np.ndarray, "k"], bucket: Sequence[Float[np.ndarray, "..."]]) -> None:
    """Copies consecutive numbers into the pieces of a bucket."""
    start = 0
    for piece in bucket:
        piece[:] = flat[start : start + len(piece)]
        start += len(piece)
