"""What a new model takes over from the checkpoint of another kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor
from train import tiny

from gattn_tg.errors import ConfigError
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.train.loop.start import take_over


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = GPTConfig(width=8, n_layers=1, n_heads=2, words=(), dropout=0.0)
    return checkpoint.save(GenomicGPT(config, seed=1), tmp_path_factory.mktemp("gpt"))


def test_a_trunk_from_a_language_model(gpt: Path) -> None:
    model = SequenceClassifier(replace(tiny.MODEL, width=8), seed=2)
    before = model.head.weight.numpy()
    start = take_over(model, gpt)
    weights = checkpoint.read(gpt)[1]
    assert start.kind == "GenomicGPT"
    assert {name.split(".")[0] for name in start.loaded} == {"embed_bases", "embed_motifs", "blocks", "norm"}
    assert {name.split(".")[0] for name in start.new} == {"embed_positions", "pool", "head"}
    assert start.other_shape == ()
    assert {name.split(".")[0] for name in start.unused} == {"to_bases"}
    np.testing.assert_array_equal(model.embed_bases.weight.numpy(), weights["embed_bases.weight"])
    np.testing.assert_array_equal(model.head.weight.numpy(), before)
    again = take_over(SequenceClassifier(replace(tiny.MODEL, width=8), seed=3), gpt)
    assert again.digest == start.digest


def test_other_shapes_begin_anew(gpt: Path) -> None:
    start = take_over(SequenceClassifier(replace(tiny.MODEL, mlp_ratio=1), seed=2), gpt)
    assert start.other_shape == ("blocks.0.mlp.up.weight", "blocks.0.mlp.up.bias", "blocks.0.mlp.down.weight")


def test_nothing_fits(gpt: Path) -> None:
    class Other:
        def __init__(self) -> None:
            self.embed_bases = Tensor.zeros(3).contiguous()

    message = "weights of the same name and shape .* is required, but a GenomicGPT came of which nothing fits; give"
    with pytest.raises(ConfigError, match=message):
        take_over(Other(), gpt)
