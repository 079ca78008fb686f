"""How much memory a process may still take, as far as the system says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
STATM = Path("/proc/self/statm")
LIMITS = (  # of containers and batch systems: (bytes allowed, bytes taken)
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def free_bytes() -> int | None:
    """Bytes of main memory that can be taken now: of the machine, of the container, of the process; None: unknown."""
    found = [_of_machine(), _of_process(), *(_of_container(*paths) for paths in LIMITS)]
    known = [max(n, 0) for n in found if n is not None]
    return min(known, default=None)


def peak_bytes() -> int | None:
    """The most main memory that this process has held at once; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _of_machine() -> int | None:
    for line in _text(MEMINFO).splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _of_container(limit: Path, used: Path) -> int | None:
    most, taken = _text(limit).strip(), _text(used).strip()
    return int(most) - int(taken) if most.isdecimal() and taken.isdecimal() else None


def _of_process() -> int | None:
    if sys.platform != "linux":
        return None
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    taken = _text(STATM).split()
    if most == resource.RLIM_INFINITY or not taken:
        return None
    return most - int(taken[0]) * os.sysconf("SC_PAGE_SIZE")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
