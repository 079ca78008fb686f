"""The processes that work together as the command line sees them: who started them, what each one gets."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from tinygrad import Device

from gattn_tg.cli.computer.environment import n_launched
from gattn_tg.errors import ConfigError, GattnWarning
from gattn_tg.machine import device_list
from gattn_tg.machine.devices import cores
from gattn_tg.training.loop.communicator import Alone, Communicator, Mpi

Item = TypeVar("Item")
Result = TypeVar("Result")


def world(forced: bool, environment: Mapping[str, str] = os.environ) -> Communicator:
    """All processes of an MPI launcher, or this one alone.

    Args:
        forced: --mpi, for launchers that leave no trace.
        environment: Where the traces are.

    Raises:
        MissingExtraError: mpi4py is not installed.
        ConfigError: The launcher started several processes that MPI does not connect.
    """
    n = n_launched(environment)
    if n == 1 and not forced:
        return Alone()
    ranks = Mpi()
    if ranks.n_ranks < n:
        raise ConfigError(
            f"train: expected {n} processes that MPI connects, but it sees {ranks.n_ranks}; start them with the "
            "mpiexec that belongs to mpi4py's library, or with srun --mpi=pmi2"
        )
    if ranks.rank:
        warnings.simplefilter("ignore", GattnWarning)  # the first process says it
    return ranks


def over(ranks: Communicator) -> Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]] | None:
    """How work is shared out over the ranks; None where there is one."""
    return ranks.over if ranks.n_ranks > 1 else None


def in_turns(function: Callable[[Item], Result], items: Iterable[Item], ranks: Communicator) -> Iterator[Result]:
    """`function(item)` of each item in their order, on every rank; each computes every so-manieth one."""
    source = iter(items)
    while group := list(islice(source, ranks.n_ranks)):
        yield from ranks.over(function, group)


def n_threads(ranks: Communicator, wanted: int | None) -> int | None:
    """Cores of one process: --threads, else a fair share where several processes see all cores of one machine."""
    n_local = getattr(ranks, "n_local", 1)
    if wanted is not None or n_local == 1:
        return wanted
    here = cores()
    return max(1, here // n_local) if here == (os.cpu_count() or 1) else here


def own_device(ranks: Communicator) -> str | None:
    """Where a process computes: a GPU of its own, else tinygrad's default (None)."""
    chosen = devices(ranks, None)
    return chosen if isinstance(chosen, str) else None


def devices(ranks: Communicator, listed: str | None) -> str | tuple[str, ...] | None:
    """Where a process trains: the listed devices, else a GPU of its own, else tinygrad's default (None).

    Raises:
        ConfigError: A list came for several processes on one machine.
    """
    n_local = getattr(ranks, "n_local", 1)
    if listed is not None:
        if n_local > 1:
            raise ConfigError(
                f"train: expected one process per machine with --devices, but here are {n_local}; leave --devices "
                "out, then every process takes a device of its own"
            )
        found = device_list.devices_of(listed)
        return found if len(found) > 1 else found[0]
    kind = Device.DEFAULT.split(":")[0]
    if n_local == 1 or kind in device_list.UNCOUNTED:
        return None
    return f"{kind}:{getattr(ranks, 'local_rank', 0) % device_list.count(kind)}"
