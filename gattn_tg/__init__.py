"""Portable genomic attention on tinygrad: learnable motif / CpG bias, RoPE, one model on CPUs and every GPU.

Importing the package opens no device and no file; the names below load on first use. The only thing done at import
is to tell tinygrad which C compiler to call when no clang is installed (see `gattn_tg.machine.toolchain`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gattn_tg.machine import toolchain

if TYPE_CHECKING:
    from gattn_tg.nn.attention import GenomicAttention
    from gattn_tg.ops.attention.api import attention
    from gattn_tg.ops.attention.bias import MotifBias
    from gattn_tg.ops.attention.rope import Rope

__version__ = "0.1.0"
__all__ = ["GenomicAttention", "MotifBias", "Rope", "__version__", "attention"]

_HOME = {
    "attention": "gattn_tg.ops.attention.api",
    "MotifBias": "gattn_tg.ops.attention.bias",
    "Rope": "gattn_tg.ops.attention.rope",
    "GenomicAttention": "gattn_tg.nn.attention",
}

toolchain.configure()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gattn_tg' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
