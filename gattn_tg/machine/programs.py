"""Gives tinygrad the checked store of `cache.py` for what it compiles."""

from __future__ import annotations

import functools
import hashlib
import sys
from typing import Any

from tinygrad import codegen, device, helpers, tensor
from tinygrad.runtime import ops_cpu

from gattn_tg.machine import cache, lowered, scheduled, toolchain

Key = dict[str, Any] | str | int
IMPORTERS = ("tinygrad.codegen.opt.search",)  # modules that take the functions over by name, where they are loaded


@functools.cache
def store() -> cache.Store:
    """The store of this process."""
    return cache.Store(cache.folder())


def install() -> None:
    """Puts `get` and `put` where tinygrad 0.14 looks for its own, and memories before scheduling and lowering."""
    for module in (helpers, device, *(sys.modules[name] for name in IMPORTERS if name in sys.modules)):
        module.diskcache_get, module.diskcache_put = get, put
    codegen.do_to_program = ops_cpu.do_to_program = lowered.Remembered(codegen.do_to_program, get, put)
    tensor.create_linear_with_vars = scheduled.Remembered(tensor.create_linear_with_vars, get, put)


def get(table: str, key: Key) -> Any:
    """What tinygrad's `diskcache_get` gives: a value, or None."""
    return store().get(_name(table, key)) if helpers.CACHELEVEL >= 1 else None


def put(table: str, key: Key, val: Any, prepickled: bool = False) -> Any:
    """What tinygrad's `diskcache_put` does; returns the value."""
    if helpers.CACHELEVEL >= 1 and not prepickled:  # the pickled ones are traces for tinygrad's own developers
        store().put(_name(table, key), val)
    return val


def _name(table: str, key: Key) -> str:
    named = sorted(key.items()) if isinstance(key, dict) else key
    # tinygrad finds machine code by its source alone, whichever compiler made it
    return hashlib.sha256(repr((helpers.VERSION, toolchain.identity(), table, named)).encode()).hexdigest()
