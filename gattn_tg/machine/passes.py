"""Two passes of tinygrad's lowering, without the work that cannot change anything.

Lowering is Python, and most of the time to a first result. tinygrad 0.14 finds the integer type of every index by
rewriting it from its root down, index after index, although they share most of their parts; and for each loop it looks
through all statements before it for memory that threads share, which a CPU's kernels do not have.
"""

from __future__ import annotations

import functools
from typing import Any

from tinygrad import codegen, dtypes
from tinygrad.dtype import AddrSpace
from tinygrad.uop import weak
from tinygrad.uop.ops import GroupOp, Ops, RewriteContext, UOp, graph_rewrite


@functools.cache
def install() -> None:
    """Puts both where tinygrad looks for its own; works once."""
    weak.lower_weak_srcs = lower_sources
    codegen.graph_rewrite = rewrite


def lower_sources(seen: dict[object, Any], x: UOp) -> UOp | None:
    """A statement whose indices have a type; None where they have.

    Args:
        seen: What one pass keeps; here, the rewriter that remembers the parts of all indices so far.
        x: The statement.
    """
    rewriter = seen.setdefault(RewriteContext, RewriteContext(weak.pm_lower_weak, None, None))

    def typed(index: UOp) -> UOp:
        found = rewriter.unified_rewrite(index)
        return found.src[0] if found.op is Ops.CAST and found.dtype in dtypes.weaks else found

    # a comparison wants one type for both sides
    found = (
        typed(x)
        if x.op in GroupOp.Comparison
        else x.replace(src=tuple(typed(s) if s.dtype in dtypes.weaks else s for s in x.src))
    )
    return None if found is x else found


def rewrite(sink: UOp, rules: Any, *given: Any, **named: Any) -> UOp:
    """tinygrad's `graph_rewrite`, but barriers are looked for only in kernels with shared memory."""
    if rules is codegen.pm_implicit_barriers and not any(_is_shared(x) for x in sink.toposort()):
        return sink
    rewritten: UOp = graph_rewrite(sink, rules, *given, **named)
    return rewritten


def _is_shared(x: UOp) -> bool:
    return x.op is Ops.BUFFER and x.addrspace is AddrSpace.LOCAL
