"""Portable genomic attention on tinygrad: learnable motif / CpG bias, RoPE, one model on CPUs and every GPU.

Importing the package opens no device and no file; the names below load on first use. The only thing done at import
is to tell tinygrad which C compiler to call when no clang is installed (see `gattn_tg.machine.toolchain`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gattn_tg.machine import toolchain
from gattn_tg.version import __version__

if TYPE_CHECKING:
    from gattn_tg.errors import GattnError
    from gattn_tg.front.learn import train
    from gattn_tg.front.load import load
    from gattn_tg.io import Record
    from gattn_tg.models.bases import PerBaseConfig, PerBaseModel
    from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
    from gattn_tg.models.encoder import EncoderConfig, MaskedEncoder
    from gattn_tg.models.gpt import GenomicGPT, GPTConfig
    from gattn_tg.models.sites.config import SiteConfig
    from gattn_tg.models.sites.network import SiteModel
    from gattn_tg.models.tracks import TrackConfig, TrackModel
    from gattn_tg.motif import MotifVocabulary, annotate
    from gattn_tg.nn.attention import GenomicAttention
    from gattn_tg.ops.attention.api import attention
    from gattn_tg.ops.attention.bias import MotifBias
    from gattn_tg.ops.attention.rope import Rope
    from gattn_tg.seq import Interval, decode, encode

__all__ = [
    "ClassifierConfig",
    "EncoderConfig",
    "GPTConfig",
    "GattnError",
    "GenomicAttention",
    "GenomicGPT",
    "Interval",
    "MaskedEncoder",
    "MotifBias",
    "MotifVocabulary",
    "PerBaseConfig",
    "PerBaseModel",
    "Record",
    "Rope",
    "SequenceClassifier",
    "SiteConfig",
    "SiteModel",
    "TrackConfig",
    "TrackModel",
    "__version__",
    "annotate",
    "attention",
    "decode",
    "encode",
    "load",
    "train",
]

# where each name is; it is imported when it is first asked for
_HOME = {
    "attention": "gattn_tg.ops.attention.api",
    "MotifBias": "gattn_tg.ops.attention.bias",
    "Rope": "gattn_tg.ops.attention.rope",
    "GenomicAttention": "gattn_tg.nn.attention",
    "load": "gattn_tg.front.load",
    "train": "gattn_tg.front.learn",
    "annotate": "gattn_tg.motif",
    "MotifVocabulary": "gattn_tg.motif",
    "encode": "gattn_tg.seq",
    "decode": "gattn_tg.seq",
    "Interval": "gattn_tg.seq",
    "Record": "gattn_tg.io",
    "SequenceClassifier": "gattn_tg.models.classifier",
    "ClassifierConfig": "gattn_tg.models.classifier",
    "GenomicGPT": "gattn_tg.models.gpt",
    "GPTConfig": "gattn_tg.models.gpt",
    "MaskedEncoder": "gattn_tg.models.encoder",
    "EncoderConfig": "gattn_tg.models.encoder",
    "TrackModel": "gattn_tg.models.tracks",
    "TrackConfig": "gattn_tg.models.tracks",
    "PerBaseModel": "gattn_tg.models.bases",
    "PerBaseConfig": "gattn_tg.models.bases",
    "SiteModel": "gattn_tg.models.sites.network",
    "SiteConfig": "gattn_tg.models.sites.config",
    "GattnError": "gattn_tg.errors",
}

toolchain.configure()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gattn_tg' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
