"""Python's collector of cycles waits while kernels are made.

Scheduling and lowering make hundreds of thousands of objects that refer to each other one way only and live on. The
collector, which counts objects, walks over all of them again and again and finds nothing: about a fourteenth of the
time of a first run.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()


class _Waiting:
    inside = 0  # how many threads and calls are inside of `waits`
    was_on = False


@contextmanager
def waits() -> Iterator[None]:
    """No collection inside, also of other threads; afterwards as before."""
    with _lock:
        if _Waiting.inside == 0:
            _Waiting.was_on = gc.isenabled()
            gc.disable()
        _Waiting.inside += 1
    try:
        yield
    finally:
        with _lock:
            _Waiting.inside -= 1
            if _Waiting.inside == 0 and _Waiting.was_on:
                gc.enable()
