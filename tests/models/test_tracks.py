"""TrackModel and PerBaseModel: shapes, which bases a bin sees, heads, configurations, checkpoints, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.models import checkpoint
from gattn_tg.models.bases import PerBaseConfig, PerBaseModel
from gattn_tg.models.bins import bin_ids
from gattn_tg.models.gpt import GPTConfig
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout
from gattn_tg.models.surroundings import composition
from gattn_tg.models.tower import widths
from gattn_tg.models.tracks import TrackConfig, TrackModel
from gattn_tg.motif import MotifVocabulary

HEADS = (("human", 3), ("mouse", 2))
SHAPE = TrackConfig(heads=HEADS, width=32, stem_width=32, n_layers=1, n_heads=1, mlp_ratio=1, bin_bp=8, crop_bp=32,
                    composition_bp=(8, 64), dropout=0.0)
N = 256


@pytest.fixture(scope="module")
def model() -> TrackModel:
    return TrackModel(SHAPE, seed=1)


@pytest.fixture(scope="module")
def inputs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 5, (2, N)).astype(np.uint8), rng.integers(0, 16, (2, N)).astype(np.uint8)


def test_one_positive_rate_per_bin_and_track_of_the_head(
    model: TrackModel, inputs: tuple[np.ndarray, np.ndarray]
) -> None:
    bases, ids = (Tensor(x) for x in inputs)
    human = model(bases, ids).numpy()
    assert human.shape == (2, (N - 2 * 32) // 8, 3)
    assert (human > 0).all()
    assert 0.3 < human.mean() < 3  # a new head predicts about 1
    assert model(bases, ids, "mouse").shape == (2, 24, 2)


def test_a_base_is_seen_by_its_own_bin_and_its_neighbours_only_where_nothing_attends(
    inputs: tuple[np.ndarray, np.ndarray]
) -> None:
    """Alignment of stem, pooling and crop: with attention, composition and perceptrons silenced the model is local."""
    shape = TrackConfig.from_dict({**SHAPE.__dict__, "composition_bp": ()})
    model = TrackModel(shape, seed=1)
    for block in model.blocks:
        for layer in (block.attention.out_proj, block.mlp.down):
            layer.weight.assign(Tensor.zeros(*layer.weight.shape)).realize()
    bases = np.repeat(inputs[0][:1], 8, axis=0)
    ids = Tensor(np.repeat(inputs[1][:1], 8, axis=0))
    places = [32, 39, 40, 100, 127, 128, 223]  # the first bin, edges of bins, the middle, the last bin
    for row, place in enumerate(places, start=1):
        bases[row, place] = (bases[row, place] + 1) % 4
    rates = model(Tensor(bases), ids).numpy()
    for row, place in enumerate(places, start=1):
        changed = np.flatnonzero(np.abs(rates[row] - rates[0]).max(-1))
        own = (place - 32) // 8
        assert own in changed
        assert np.abs(changed - own).max() <= 3  # 7 + 2 * 2 + 2 * 4 bases on each side, and the pooling


def test_composition_counts_around_every_bin() -> None:
    bases = np.random.default_rng(2).integers(0, 5, (2, 320)).astype(np.uint8)
    found = composition(Tensor(bases), 32, (32, 160)).numpy()
    assert found.shape == (2, 10, 6)
    row, i = bases[1], 4
    for at, half in ((0, 0), (3, 2)):
        here = slice((i - half) * 32, (i + half + 1) * 32)
        c, g, known = (row[here] == 1).sum(), (row[here] == 2).sum(), (row[here] < 4).sum()
        cpg = ((row[:-1] == 1) & (row[1:] == 2))[here].sum()
        expected = [((c + g) / known - 0.41) / 0.1, cpg / known / 0.02, min(cpg * known / (c * g), 3)]
        assert np.allclose(found[1, i, at : at + 3], expected, rtol=1e-5)


def test_a_bin_has_the_most_telling_id_of_its_bases() -> None:
    ids = np.zeros((1, 32), np.uint8)
    ids[0, [3, 9, 12, 17]] = (1, 8, 2, 15)
    assert bin_ids(Tensor(ids), 8, (2, 1, 8)).numpy().tolist() == [[1, 2, 0, 0]]


def test_channels_grow_from_stem_to_trunk_in_lanes() -> None:
    assert widths(32, 96, 5) == (32, 32, 64, 64, 96)
    assert widths(256, 512, 5)[0] == 256
    assert widths(256, 512, 5)[-1] == 512


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
def test_presets_and_json(name: str) -> None:
    shape = TrackConfig.preset(name, heads=[["human", 5], ["mouse", 4]], bin_bp=128)
    assert shape.heads == (("human", 5), ("mouse", 4))
    assert TrackConfig.from_json(shape.to_json()) == shape
    other = PerBaseConfig.preset(name, n_labels=2)
    assert PerBaseConfig.from_json(other.to_json()) == other


def test_the_preset_long_sees_a_window_and_anchors_and_takes_bins_of_both_sizes() -> None:
    bases = GPTConfig.preset("long")
    assert (bases.context, bases.n_anchors, bases.width, bases.n_layers) == (1_024, 1_024, 128, 4)
    for bin_bp in (32, 128):
        shape = TrackConfig.preset("long", heads=[["human", 2]], bin_bp=bin_bp)
        assert shape.window_size == (32_768 // bin_bp, 32_768 // bin_bp)
    default = MotifVocabulary.default()
    for config in (bases, shape):
        assert [default.names[i] for i in config.with_vocabulary(default).anchor_ids] == list(config.anchors)


def test_checkpoints_keep_both_models(
    tmp_path: Path, model: TrackModel, inputs: tuple[np.ndarray, np.ndarray]
) -> None:
    bases, ids = (Tensor(x) for x in inputs)
    head = TrackHead(head="human", tracks=("a", "b", "c"), scale=(1.0, 2.0, 3.0), soft_clip=4.0, pairs=(1, 0, 2))
    readout = TrackReadout(heads=(head, TrackHead(head="mouse", tracks=("d", "e"), scale=(1.0, 1.0), soft_clip=0.0)))
    checkpoint.save(model, tmp_path / "tracks", readout=readout)
    kept = checkpoint.load(tmp_path / "tracks")
    assert kept.config == SHAPE
    assert kept.readout == readout
    assert np.array_equal(kept.model(bases, ids).numpy(), model(bases, ids).numpy())
    marker = PerBaseModel(PerBaseConfig(width=16, n_layers=1, n_heads=1, stem_kernel=3, dropout=0.0), seed=2)
    checkpoint.save(marker, tmp_path / "bases")
    logits = checkpoint.load(tmp_path / "bases").model(bases, ids)
    assert logits.shape == (2, N, 1)
    assert np.array_equal(logits.numpy(), marker(bases, ids).numpy())


def test_motif_tables_have_the_names_of_their_blocks(model: TrackModel) -> None:
    assert {name: table.shape for name, table in model.motif_table().items()} == {"blocks.0": (16,)}


@pytest.mark.parametrize(("changes", "message"), [
    ({"heads": ()}, "heads: expected pairs of a name of its own and a number of tracks from 1 up"),
    ({"heads": (("a", 1), ("a", 2))}, "heads: expected pairs"),
    ({"bin_bp": 24}, "bin_bp: expected a power of two from 4 up, got 24"),
    ({"crop_bp": 12}, "crop_bp: expected a multiple of bin_bp=8, got 12"),
    ({"n_motifs": 8}, "bin_ranks: expected motif ids below n_motifs=8"),
])
def test_configurations_that_cannot_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrackConfig.from_dict({**SHAPE.__dict__, **changes})


def test_refusals(model: TrackModel) -> None:
    short = Tensor(np.zeros((1, 60), np.uint8))
    with pytest.raises(ShapeError, match="a multiple of bin_bp=8 bases, longer than both crops of 32, got one of"):
        model(short, short)
    full = Tensor(np.zeros((1, N), np.uint8))
    with pytest.raises(ConfigError, match="expected a head named human or mouse, got 'rat'"):
        model(full, full, "rat")
