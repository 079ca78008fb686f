"""Kernels are compiled beside the lowering of the next: one core runs Python, the others run the compiler.

tinygrad lowers and compiles kernels one after the other in this process, or whole in processes of their own, which
take longer to start than they save on few cores. The compiler is a process of its own anyway: `Pool` stands where
tinygrad asks for its processes, lowers one kernel after the other and waits for the compilers at the end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tinygrad import codegen
from tinygrad.engine import realize
from tinygrad.helpers import PARALLEL, Context
from tinygrad.uop.ops import UOp

from gattn_tg.machine.devices import cores

Task = tuple[int, tuple[UOp, Any], dict[str, Any]]  # number, kernel and renderer, settings of tinygrad
_processes = realize.get_worker_pool


class Pool:
    """What tinygrad uses of a pool of processes."""

    def imap_unordered(self, function: Callable[[Task], tuple[int, UOp]], tasks: Iterable[Task]) -> Iterator[Any]:
        """Number and program of every task; `function`, which does one task whole, is not used."""
        lowering, begun = codegen.do_to_program, []
        with ThreadPoolExecutor(cores()) as compilers:
            try:
                for number, (kernel, renderer), settings in tasks:
                    with Context(**settings):
                        begun.append((number, lowering.begin(kernel, renderer, lambda x: compilers.submit(x).result)))
                for number, later in begun:
                    yield number, later()
            finally:
                compilers.shutdown(cancel_futures=True)


@functools.cache
def install() -> None:
    """Lets tinygrad use `Pool` where it would take one kernel after the other; works once."""
    realize.get_worker_pool = pool


def pool() -> Any:
    """tinygrad's processes, `Pool` where it has none and there are cores for it, else None."""
    found = _processes()
    return Pool() if found is None and PARALLEL == 0 and cores() > 1 else found
