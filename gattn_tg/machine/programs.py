"""Gives tinygrad the checked store of `cache.py` for what it compiles."""

from __future__ import annotations

import functools
import hashlib
import sys
import time
from typing import Any, ClassVar

from tinygrad import device, helpers

from gattn_tg.machine import cache

Key = dict[str, Any] | str | int
IMPORTERS = ("tinygrad.codegen.opt.search",)  # modules that take the functions over by name, where they are loaded


@functools.cache
def store() -> cache.Store:
    """The store of this process."""
    return cache.Store(cache.folder())


def install() -> None:
    """Puts `get` and `put` where tinygrad 0.14 looks for its own."""
    for module in (helpers, device, *(sys.modules[name] for name in IMPORTERS if name in sys.modules)):
        module.diskcache_get, module.diskcache_put = get, put


def compiled_s() -> float:
    """Seconds for which this process has made what the store did not have."""
    return _Clock.seconds


class _Clock:
    """From a question that the store cannot answer to the answer that it is given."""

    seconds = 0.0
    asked: ClassVar[dict[str, float]] = {}


def get(table: str, key: Key) -> Any:
    """What tinygrad's `diskcache_get` gives: a value, or None."""
    name = _name(table, key)
    found = store().get(name) if helpers.CACHELEVEL >= 1 else None
    if found is None:
        _Clock.asked[name] = time.perf_counter()
    return found


def put(table: str, key: Key, val: Any, prepickled: bool = False) -> Any:
    """What tinygrad's `diskcache_put` does; returns the value."""
    name = _name(table, key)
    if (began := _Clock.asked.pop(name, None)) is not None:
        _Clock.seconds += time.perf_counter() - began
    if helpers.CACHELEVEL >= 1 and not prepickled:  # the pickled ones are traces for tinygrad's own developers
        store().put(name, val)
    return val


def _name(table: str, key: Key) -> str:
    named = sorted(key.items()) if isinstance(key, dict) else key
    return hashlib.sha256(repr((helpers.VERSION, table, named)).encode()).hexdigest()
