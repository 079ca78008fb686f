"""The device a verb runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tinygrad import Device
from tinygrad.helpers import Context

from gattn_tg.errors import GattnError, UnsupportedError
from gattn_tg.machine import devices, threads, toolchain


@contextmanager
def on(name: str | None, n_threads: int | None = None) -> Iterator[None]:
    """A context in which tinygrad runs on the chosen device.

    Args:
        name: --device; else the variable DEV counts, else the first GPU that works, else the CPU.
        n_threads: --threads, cores for CPU kernels, at most those there are; None takes all. Holds for the rest of the
            process.

    Raises:
        UnsupportedError: There is no such device, it cannot be opened, or the compiler does not work.
        MissingExtraError: The CPU is to be used and there is no compiler.
    """
    chosen = devices.choose(name or os.environ.get("DEV"))
    kind = devices.kind_of(chosen)
    if kind == "NULL":
        raise UnsupportedError(
            f"device: expected a device that computes, got {chosen!r}, which only pretends to; "
            "`gattn doctor` lists what works here"
        )
    if kind == "CPU":
        toolchain.require()
    if n_threads is not None:
        threads.set_threads(min(n_threads, devices.cores()))
    with _selected(chosen, kind):
        yield


@contextmanager
def _selected(chosen: str, kind: str) -> Iterator[None]:
    try:
        context = Context(DEV=chosen)
        context.__enter__()
    except RuntimeError as error:  # tinygrad could not read it
        raise _refused(chosen, error) from error
    try:
        try:
            _ = Device[kind].renderer
        except GattnError:
            raise
        except Exception as error:  # what drivers raise has no common base
            raise _refused(chosen, error) from error
        yield
    finally:
        context.__exit__(None, None, None)


def _refused(chosen: str, error: Exception) -> UnsupportedError:
    return UnsupportedError(
        f"device: expected one that can be opened, but {chosen!r} says: {_last_words(error)}; "
        "`gattn doctor` lists what works here"
    )


def _last_words(error: BaseException) -> str:
    """The innermost message of an error, or of the first of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(str(error).split()) or type(error).__name__
