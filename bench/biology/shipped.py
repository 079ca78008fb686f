"""The design of examples/configs/binding.toml on other data: words and motifs beside a network that learns apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.record import ROOT
from gattn_tg.training.config import TrainConfig

BINDING = ROOT / "examples" / "configs" / "binding.toml"


def binding(home: Path, data: dict[str, Any], *, width: int, n_layers: int, **train: Any) -> TrainConfig:
    """The configuration with a [data] of its own beside all matrices of JASPAR.

    Args:
        home: folder of the files of `data`.
        data: keys of [data].
        width: of the network.
        n_layers: of the network.
        train: what is changed of [train].
    """
    shipped = TrainConfig.from_toml(BINDING, home)
    return replace(shipped, data={**data, "matrices": "jaspar"}, train=replace(shipped.train, **train),
                   model={**shipped.model, "width": width, "n_layers": n_layers})  # fmt: skip
