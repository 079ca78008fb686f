"""What a new model takes over from the checkpoint of another kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from training import tiny

from gattn_tg.errors import ConfigError
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.imported.config import ImportedConfig
from gattn_tg.models.imported.encoder import ImportedEncoder
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.training.loop.start import take_over

VOCABULARY = MotifVocabulary.default()
CLASSES = VOCABULARY.classes
SOME = MotifVocabulary(CLASSES[:4])
# ids 1 2 3 are the classes 3 and 1 of SOME and one that it does not have; its classes 2 and 4 are not here
OTHER = MotifVocabulary((CLASSES[2], CLASSES[0], CLASSES[6]))
LABELS = ClassReadout(labels=("a", "b"))
NAMES = [motif.name for motif in CLASSES]


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = GPTConfig(width=8, n_layers=1, n_heads=2, words=(), dropout=0.0)
    return checkpoint.save(GenomicGPT(config, seed=1), tmp_path_factory.mktemp("gpt"))


def test_a_trunk_from_a_language_model(gpt: Path) -> None:
    model = SequenceClassifier(replace(tiny.MODEL, width=8), seed=2)
    before = model.head.weight.numpy()
    start = take_over(model, gpt, VOCABULARY)
    weights = checkpoint.read(gpt)[1]
    assert start.kind == "GenomicGPT"
    assert {name.split(".")[0] for name in start.loaded} == {"embed_bases", "embed_motifs", "blocks", "norm"}
    assert {name.split(".")[0] for name in start.new} == {"embed_positions", "pool", "head", "kmers"}
    assert start.other_shape == ()
    assert {name.split(".")[0] for name in start.unused} == {"to_bases"}
    np.testing.assert_array_equal(model.embed_bases.weight.numpy(), weights["embed_bases.weight"])
    np.testing.assert_array_equal(model.head.weight.numpy(), before)
    again = take_over(SequenceClassifier(replace(tiny.MODEL, width=8), seed=3), gpt, VOCABULARY)
    assert again.digest == start.digest


def test_other_shapes_begin_anew(gpt: Path) -> None:
    start = take_over(SequenceClassifier(replace(tiny.MODEL, mlp_ratio=1), seed=2), gpt, VOCABULARY)
    assert start.other_shape == ("blocks.0.mlp.up.weight", "blocks.0.mlp.up.bias", "blocks.0.mlp.down.weight")


def test_nothing_fits(gpt: Path) -> None:
    class PerBaseModel:  # its name says of which kind it is
        def __init__(self) -> None:
            self.embed_bases = Tensor.zeros(3).contiguous()

    message = "weights of the same name and shape .*, but a GenomicGPT came of which nothing fits a PerBaseModel; give"
    with pytest.raises(ConfigError, match=message):
        take_over(PerBaseModel(), gpt, VOCABULARY)


def test_an_import_tells_which_kind_learns_on_from_it(tmp_path: Path) -> None:
    config = ImportedConfig(word_bp=1, mlp_width=8, n_positions=8, width=8, n_layers=1, n_heads=2)
    checkpoint.save(ImportedEncoder(config), tmp_path / "import")
    with pytest.raises(ConfigError, match='a SequenceClassifier; write kind = "ImportedClassifier" in'):
        take_over(SequenceClassifier(replace(tiny.MODEL, width=4), seed=2), tmp_path / "import", VOCABULARY)


SHAPE: dict[str, Any] = {"n_classes": 2, "width": 8, "n_layers": 1, "n_heads": 2, "stem_kernel": 0}
TABLE, EMBEDDING = "blocks.0.attention.motif_bias", "embed_motifs.weight"


def model_of(seed: int, n_motifs: int, **shape: Any) -> SequenceClassifier:
    """A small classifier whose tables are drawn too, so that every entry differs from every other."""
    model = SequenceClassifier(ClassifierConfig(**SHAPE, n_motifs=n_motifs, **shape), seed=seed)
    table = model.blocks[0].attention.motif_bias
    table.assign(Tensor(np.random.default_rng(seed).standard_normal(table.shape).astype(np.float32))).realize()
    return model


def values(model: SequenceClassifier) -> tuple[np.ndarray, np.ndarray]:
    table = model.blocks[0].attention.motif_bias.numpy()
    return table[None] if table.ndim == (1 if model.config.motif in ("key", "same", "between") else 2) else table, (
        model.embed_motifs.weight.numpy()
    )


@pytest.mark.parametrize("per_head", [False, True])
@pytest.mark.parametrize("kind", ["key", "same", "pair", "ordered"])
def test_motifs_go_to_the_ids_of_their_names(tmp_path: Path, kind: str, per_head: bool) -> None:
    old = model_of(1, SOME.n_motifs, motif=kind, per_head=per_head)
    folder = checkpoint.save(old, tmp_path / "old", readout=LABELS, vocabulary=SOME)
    new = model_of(2, OTHER.n_motifs + 1, motif=kind, per_head=per_head)
    (was, was_embedded), (table, embedded) = values(old), values(new)
    start = take_over(new, folder, OTHER)
    (now, now_embedded) = values(new)
    there = {0: 0, 1: 3, 2: 1}  # id in the model -> id in the checkpoint; 3 is new, 4 means nothing
    for k in range(OTHER.n_motifs + 1):
        np.testing.assert_array_equal(now_embedded[k], was_embedded[there[k]] if k in there else embedded[k])
        if kind in ("key", "same"):
            np.testing.assert_array_equal(now[:, k], was[:, there[k]] if k in there else table[:, k])
            continue
        for m in range(OTHER.n_motifs + 1):
            known = k in there and m in there
            np.testing.assert_array_equal(now[:, k, m], was[:, there[k], there[m]] if known else table[:, k, m])
    assert start.partly == (EMBEDDING, TABLE)
    assert not {EMBEDDING, TABLE} & {*start.loaded, *start.new, *start.other_shape, *start.unused}
    assert start.classes is not None
    assert start.classes.dropped == (NAMES[1], NAMES[3])
    assert start.classes.new == (NAMES[6],)
    assert start.classes.changed == ()


def test_the_same_classes_in_another_order_are_taken_over_wholly(tmp_path: Path) -> None:
    old = model_of(1, 5)
    folder = checkpoint.save(old, tmp_path / "old", readout=LABELS, vocabulary=SOME)
    new, order = model_of(2, 5), [0, 4, 3, 2, 1]
    start = take_over(new, folder, MotifVocabulary(SOME.classes[::-1]))
    for was, now in zip(values(old), values(new), strict=True):
        np.testing.assert_array_equal(now, was[order] if now.shape[0] == 5 else was[:, order])
    assert {EMBEDDING, TABLE} <= set(start.loaded)
    assert start.partly == ()
    assert start.classes is not None
    assert (start.classes.dropped, start.classes.new) == ((), ())


def test_a_class_of_the_same_name_and_another_rule_is_told(tmp_path: Path) -> None:
    folder = checkpoint.save(model_of(1, 5), tmp_path / "old", readout=LABELS, vocabulary=SOME)
    mine = MotifVocabulary((replace(CLASSES[0], rule=CLASSES[5].rule, strand=CLASSES[5].strand), *CLASSES[1:4]))
    start = take_over(model_of(2, 5), folder, mine)
    assert start.classes is not None
    assert start.classes.changed == (NAMES[0],)


@pytest.mark.parametrize(
    ("there", "here"), [("key", "same"), ("key", "between"), ("between", "key"), ("pair", "ordered")]
)
def test_a_table_of_another_kind_begins_anew(tmp_path: Path, there: str, here: str) -> None:
    """Of the same shape and the same name, but its entries say something else."""
    folder = checkpoint.save(model_of(1, 5, motif=there), tmp_path / "old", readout=LABELS, vocabulary=SOME)
    new = model_of(2, 5, motif=here)
    before = values(new)[0]
    start = take_over(new, folder, SOME)
    assert start.other_shape == (TABLE,)
    np.testing.assert_array_equal(values(new)[0], before)


def test_counts_between_motifs_need_no_names(tmp_path: Path) -> None:
    old = model_of(1, 5, motif="between")
    folder = checkpoint.save(old, tmp_path / "old", readout=LABELS, vocabulary=SOME)
    new = model_of(2, 5, motif="between")
    assert TABLE in take_over(new, folder, OTHER).loaded
    np.testing.assert_array_equal(values(new)[0], values(old)[0])


@pytest.mark.parametrize("kind", ["key", "pair", "ordered"])
def test_tied_tables_keep_what_the_scores_see(tmp_path: Path, kind: str) -> None:
    """Of a checkpoint with tied strands an untied model gets the tied table, which is what was learnt."""
    swap = (0, 2, 1, 3, 4)
    old = model_of(1, 5, motif=kind, tie_strands=swap)
    folder = checkpoint.save(old, tmp_path / "old", readout=LABELS, vocabulary=SOME)
    new = model_of(2, 5, motif=kind)
    take_over(new, folder, SOME)
    seen = MotifBias(kind, old.blocks[0].attention.motif_bias, Tensor.zeros(1, 1, dtype="uint8"), complement=swap)
    np.testing.assert_allclose(values(new)[0], seen.tied_table().numpy(), rtol=1e-6)
