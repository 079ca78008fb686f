"""Published motif tables do not depend on what a softmax cannot know."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier


def model(motif: str, **options: object) -> SequenceClassifier:
    made = SequenceClassifier(ClassifierConfig.preset(
        "tiny", n_classes=2, width=16, n_heads=2, n_motifs=4, motif=motif, stem_kernel=0, **options))
    rng = np.random.default_rng(0)
    for block in made.blocks:
        if (table := block.attention.motif_bias) is not None:
            table.assign(Tensor(rng.standard_normal(table.shape).astype(np.float32))).realize()
    return made


@pytest.mark.parametrize(("motif", "per_head", "shape"), [
    ("key", False, (4,)), ("key", True, (2, 4)), ("pair", False, (4, 4)), ("ordered", True, (2, 4, 4)),
    ("between", False, (4,)), ("same", True, (2, 4)),
])
def test_tables_have_the_documented_shapes_and_do_not_see_a_constant(
    motif: str, per_head: bool, shape: tuple[int, ...]
) -> None:
    made, frequency = model(motif, per_head=per_head), np.array([0.7, 0.1, 0.15, 0.05])
    tables = made.motif_table(frequency)
    assert {name: table.shape for name, table in tables.items()} == {"blocks.0": shape, "blocks.1": shape}
    if motif != "same":
        table = made.blocks[0].attention.motif_bias
        assert table is not None
        table.assign(table + 3.0).realize()
        np.testing.assert_allclose(made.motif_table(frequency)["blocks.0"], tables["blocks.0"], atol=1e-5)
    if motif in ("key", "pair"):
        np.testing.assert_allclose(tables["blocks.1"] @ frequency, 0, atol=1e-6)


def test_ties_are_in_the_table_and_a_model_without_motifs_has_none() -> None:
    table = model("key", tie_strands=[0, 2, 1, 3]).motif_table()["blocks.0"]
    assert table[1] == table[2]
    assert table[1] != table[3]
    assert model("none").motif_table() == {}


def test_presets_are_refused_by_name_and_take_changes() -> None:
    small = ClassifierConfig.preset("small", n_classes=3, n_layers=1)
    assert (small.width, small.n_layers, small.n_classes) == (128, 1, 3)
    with pytest.raises(ConfigError, match="preset: expected one of tiny, small, base, got 'huge'"):
        ClassifierConfig.preset("huge", n_classes=2)
    with pytest.raises(ConfigError, match=r"tie_strands\[0\]: expected an integer, got 'a'"):
        ClassifierConfig.preset("tiny", n_classes=2, tie_strands=["a"])


def test_scaling_of_the_rotation() -> None:
    rope = ClassifierConfig(n_classes=2, rope_scaling="ntk", rope_factor=4.0).rope()
    assert rope is not None
    assert (rope.ntk_scale, rope.linear_scale) == (4.0, 1.0)
    assert ClassifierConfig(n_classes=2, positions="none").rope() is None
    rope = ClassifierConfig(n_classes=2, rope_scaling="yarn", rope_factor=16.0, rope_context=8_192).rope()
    assert rope is not None
    assert (rope.yarn_scale, rope.yarn_context, rope.linear_scale) == (16.0, 8_192, 1.0)
    with pytest.raises(ConfigError, match="rope_context: expected the tokens of the sequences of training"):
        ClassifierConfig(n_classes=2, rope_scaling="yarn")
    with pytest.raises(ConfigError, match="rope_scaling: expected one of none, linear, ntk, yarn, got 'yarm'"):
        ClassifierConfig(n_classes=2, rope_scaling="yarm")
