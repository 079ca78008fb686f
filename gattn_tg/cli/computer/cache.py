"""`gattn cache`: the kernels that are kept on disk; --clear throws them away."""

from __future__ import annotations

import argparse

from gattn_tg.cli import output
from gattn_tg.errors import ConfigError
from gattn_tg.machine import cache


def run(arguments: argparse.Namespace) -> int:
    """Says where kernels are kept and how many there are, before --clear removes them.

    Raises:
        ConfigError: Nothing can be kept here, or the file cannot be removed.
    """
    if reason := cache.refusal():
        raise ConfigError(f"gattn cache: expected a folder that can be written, got {reason}; set XDG_CACHE_HOME")
    store = cache.Store(cache.folder())
    number, size = store.size()
    if arguments.clear:
        try:
            store.clear()
        except OSError as error:
            raise ConfigError(
                f"gattn cache: expected {store.path} to be removed, got {error.strerror}; remove it by hand"
            ) from error
    found = {"path": str(store.path), "entries": number, "bytes": size, "cleared": arguments.clear}
    if arguments.json:
        output.say_json(found)
    else:
        output.say(f"{number:,} entries, {size / 2**20:.1f} MiB, in {store.path}{': thrown away' * arguments.clear}")
    return 0
