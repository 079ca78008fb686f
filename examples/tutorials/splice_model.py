"""The model of splice sites that several tutorials ask, trained once for all of them."""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import gattn_tg
from gattn_tg.data.genomes.bundled import bundled
from gattn_tg.training.config import TrainConfig


@cache
def trained() -> Path:
    """The folder of the run: two of the six passes of splice.toml, which are enough here."""
    folder = Path(tempfile.mkdtemp()) / "splice"
    config = TrainConfig.from_toml(bundled("splice.toml", "configs"))
    gattn_tg.train(replace(config, train=replace(config.train, epochs=2)), folder)
    return folder
