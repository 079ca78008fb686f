"""Models of tracks of other projects: what is computed is what the originals compute; every weight is accounted for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign_tracks import FORMS, KEPT_BP, TOKENS, TRACKS
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError, FormatError, ShapeError
from gattn_tg.models.imported.folder import read_folder
from gattn_tg.models.imported.tracks.config import ImportedTracksConfig
from gattn_tg.models.imported.tracks.functions import functions_of_distance, published, values
from gattn_tg.models.imported.tracks.names import tracks_family_of
from gattn_tg.models.imported.tracks.network import ImportedTracks
from gattn_tg.models.imported.tracks.reading import ImportedTracksFound, imported_tracks
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout
from gattn_tg.nn.halving import WeightedHalving
from gattn_tg.ops.activation import gelu_quick
from gattn_tg.ops.poisson import softplus

EPS = 2.0**-23
RNG = np.random.default_rng(5)
# of the second layer: the original -> here
LEARNT = {
    "transformer.1.0.fn.1.to_q.weight": "attention.q_proj.weight",
    "transformer.1.0.fn.1.to_rel_k.weight": "attention.distance_proj.weight",
    "transformer.1.0.fn.1.rel_content_bias": "attention.content_bias",
    "transformer.1.0.fn.1.rel_pos_bias": "attention.place_bias",
}


def read(folder: Path, window_bp: int | None) -> ImportedTracksFound:
    files = read_folder(folder)
    family = tracks_family_of(files.weights)
    assert family is not None
    return imported_tracks(files, family, window_bp)


def require_near(found: np.ndarray, truth: np.ndarray, plain: np.ndarray) -> None:
    """At most twice as far from the definition in float64 as the definition in float32 is."""
    assert found.shape == truth.shape
    error, allowed = np.abs(found - truth).max(), 2 * np.abs(plain - truth).max() + EPS * np.abs(truth).max()
    assert error <= allowed, f"{error:.1e} where {allowed:.1e} is allowed"


def test_hidden_vectors_and_tracks_are_those_of_the_original(tmp_path: Path) -> None:
    """Of Enformer; those of Borzoi are what `gattn predict` gives, in the tests of the front."""
    form = FORMS["enformer"]
    model = read(form.write(tmp_path / "m"), form.window_bp).model
    ids = RNG.integers(0, 4, form.window_bp).astype(np.uint8)
    ids[7] = 4
    hot, bases = np.eye(5)[ids][:, :4], Tensor(ids[None])
    x, motifs = model.tokens(bases, bases)
    hidden = model.attend(x, motifs).realize()
    cut = model.config.crop_bp // form.bin_bp
    seen = gelu_quick(model.last(hidden[:, cut : TOKENS - cut]))
    found = {"hidden": hidden, **{head: softplus(model.heads[head](seen)) for head in TRACKS}}
    truth, plain = form.outputs(hot), form.outputs(hot, dtype=np.float32)
    for part, y in found.items():
        require_near(y.numpy()[0], truth[part], plain[part])


@pytest.mark.parametrize("name", ["enformer", "flashzoi"])  # one of Borzoi is as one of Enformer
def test_a_layer_and_its_gradients_are_those_of_the_original(name: str, tmp_path: Path) -> None:
    """Gradients of what scores by distance rest on, along a random way, by central differences of the definition."""
    form = FORMS[name]
    block = read(form.write(tmp_path / "m"), form.window_bp).model.blocks[1]
    x = RNG.standard_normal((TOKENS, form.dim)).astype(np.float32)
    weight = RNG.standard_normal((TOKENS, form.dim)).astype(np.float32)
    y = block(Tensor(x[None]), Tensor(np.zeros((1, TOKENS), np.uint8)))
    names = {} if name != "enformer" else LEARNT
    parameters = get_state_dict(block)
    loss = (y[0] * Tensor(weight)).sum()
    gradients = loss.gradient(*(parameters[ours] for ours in names.values())) if names else []
    Tensor.realize(y, *gradients)
    require_near(y.numpy()[0], form.layer(1, x.astype(float)), form.layer(1, x))
    for theirs, gradient in zip(names, gradients, strict=True):
        weights = form.weights()
        way, step = RNG.standard_normal(weights[theirs].shape), 1e-6
        up, down = (np.sum(form.layer(1, x.astype(float), {
            **weights, theirs: weights[theirs].astype(float) + sign * step * way}) * weight) for sign in (1, -1))
        along = gradient.numpy().astype(float) * way.reshape(gradient.shape)
        assert abs(along.sum() - (up - down) / (2 * step)) < 1e-5 * np.abs(along).sum(), theirs


def test_half_the_positions_are_weighed_as_in_the_original() -> None:
    rng = np.random.default_rng(0)
    layer, x = WeightedHalving(8, rng), rng.standard_normal((1, 6, 8)).astype(np.float32)
    score = np.exp(x @ layer.score.weight.numpy().T)
    want = (x * score)[:, ::2] + (x * score)[:, 1::2]
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), want / (score[:, ::2] + score[:, 1::2]), rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match="an even number of positions"):
        layer(Tensor(x[:, :3]))


Change = Callable[[dict[str, np.ndarray]], Any]


@pytest.mark.parametrize(("name", "change", "text"), [
    ("enformer", lambda w: w.pop("conv_tower.0.0.0.running_var"),
     r"expected a weight 'conv_tower.0.0.0.running_var' of shape \(12,\), got none; restore the file"),
    ("enformer", lambda w: w.pop("transformer.1.0.fn.1.rel_content_bias"),
     r"expected a weight 'transformer.1.0.fn.1.rel_content_bias' of shape \(1, 2, 1, 8\), got none"),
    ("enformer", lambda w: w.update({"conv_tower.0.2.to_attn_logits.weight": np.zeros((24, 24), np.float32)}),
     r"expected 'conv_tower.0.2.to_attn_logits.weight' of shape \(24, 24, 1, 1\), got \(24, 24\); weights and config"),
    ("enformer", lambda w: w.update({"transformer.2.1.fn.4.bias": np.zeros(24, np.float32)}),
     r"of Enformer with 2 layers, got also 'transformer.2.1.fn.4.bias' of shape \(24,\), which has no place"),
    ("enformer", lambda w: w.update({"_trunk.4.0.1.fn.1.bias": np.zeros(48, np.float32)}),
     "equal values in '_trunk.4.0.1.fn.1.bias' and 'transformer.0.1.fn.1.bias', which are one"),
    ("enformer", lambda w: w.pop("conv_tower.0.0.2.weight"), "'conv_tower.0.0.2.weight' of 3 axes, got none"),
    ("enformer", lambda w: [w.pop(f"_heads.{head}.0.weight") for head in TRACKS], "a weight '_heads.human.0.weight'"),
    ("enformer", lambda w: w.pop("_heads.mouse.0.weight"), "got also '_heads.mouse.0.bias' of shape"),
    ("borzoi", lambda w: w.pop("separable0.conv_layer.0.weight"), r"'separable0.conv_layer.0.weight' of shape \(32, 1"),
    ("borzoi", lambda w: w.pop("unet1.1.norm.running_mean"), "'unet1.1.norm.running_mean' of shape"),
    ("borzoi", lambda w: w.pop("mouse_head.bias"), r"'mouse_head.bias' of shape \(3,\), got none"),
    ("flashzoi", lambda w: w.update({"transformer.1.0.fn.1.mha.Wqkv.weight": np.zeros((768, 256), np.float32)}),
     r"'transformer.1.0.fn.1.mha.Wqkv.weight' of shape \(512, 256\), got \(768, 256\)"),
    ("enformer", lambda w: w["stem.0.bias"].fill(np.inf), "expected finite numbers, got 12"),
])  # fmt: skip
def test_a_weight_that_is_missing_left_over_or_of_another_shape_is_named(
    name: str, change: Change, text: str, tmp_path: Path
) -> None:
    form = FORMS[name]
    weights = form.weights()
    change(weights)
    with pytest.raises(FormatError, match=text):
        read(form.write(tmp_path / "m", weights), form.window_bp)


@pytest.mark.parametrize(("name", "change", "window", "text"), [
    ("enformer", {"depth": "2"}, 80, "expected a whole number for depth, got '2'"),
    ("enformer", {"heads": 5}, 80, "config.json: ImportedTracksConfig width: expected a multiple of n_heads = 5"),
    ("enformer", {"heads": 0}, 80, "expected heads and dim from 1 up, got 0 and 24"),
    ("enformer", {"num_downsamples": 99}, 80, "expected num_downsamples from 2 to 21, got 99"),
    ("enformer", {"use_convnext": True}, 80, "expected use_convnext to be false, got 'True', which is not"),
    ("enformer", {"use_tf_gamma": True}, 80, "n_functions: expected 192, as published, got 12"),
    ("enformer", {"target_length": 21}, 80, "target_length of at most the 20 bins of a window, that leaves as many"),
    ("enformer", {"target_length": 7}, 80, "leaves as many at both ends, got 7; give the bases of its window"),
    ("enformer", {}, 81, "expected a window of a multiple of 4 bases, got 81"),
    ("borzoi", {"return_center_bins_only": False}, 320, "bins_to_return of at most the 80 bins"),
    ("borzoi", {"attn_dim_value": None}, 320, "expected a whole number for attn_dim_value, got 'None'"),
])  # fmt: skip
def test_a_choice_that_is_not_computed_here_or_does_not_fit_is_refused(
    name: str, change: dict[str, Any], window: int, text: str, tmp_path: Path
) -> None:
    folder = FORMS[name].write(tmp_path / "m")
    (folder / "config.json").write_text(json.dumps({**FORMS[name].config, **change}))
    with pytest.raises(ConfigError, match=text):
        read(folder, window)


def test_a_file_with_the_names_of_the_whole_trunk_alone_is_the_same_model(tmp_path: Path) -> None:
    """enformer-pytorch has every weight of the trunk twice; which of the names a file keeps is left to its writer."""
    form = FORMS["enformer"]
    first = {"stem.": "_trunk.1.", "conv_tower.": "_trunk.2.", "transformer.": "_trunk.4.",
             "final_pointwise.": "_trunk.6."}  # fmt: skip

    def other(name: str) -> str:
        before = next((x for x in first if name.startswith(x)), "")
        return first.get(before, "") + name.removeprefix(before)

    whole = read(form.write(tmp_path / "a"), form.window_bp).model
    twin = read(form.write(tmp_path / "b", {other(n): x for n, x in form.weights().items()}), form.window_bp).model
    for (name, x), y in zip(get_state_dict(whole).items(), get_state_dict(twin).values(), strict=True):
        assert np.array_equal(x.numpy(), y.numpy()), name


def test_windows_of_the_published_models_are_taken_where_none_is_said(tmp_path: Path) -> None:
    for name, tokens in (("enformer", 1536), ("borzoi", 4096), ("flashzoi", 4096)):
        form = FORMS[name]
        found = read(form.write(tmp_path / name), None)
        head, c = found.readout.of("mouse"), found.model.config
        assert head.window_bp == tokens * form.token_bp
        assert head.tracks == ("mouse_0", "mouse_1", "mouse_2")
        assert head.window_bp - 2 * c.crop_bp == KEPT_BP
        assert c.longest_bp == (None if name == "flashzoi" else head.window_bp)
        assert found.licence == "licence of these weights, as their README says: cc-by-4.0"
        assert found.extra["family"] == found.family == form.name.title()


def test_the_table_of_the_authors_names_tracks_assays_and_strands(tmp_path: Path) -> None:
    form = FORMS["borzoi"]
    folder = form.write(tmp_path / "m")
    lines = ["\tidentifier\tdescription\tstrand_pair", "0\tA+\tCAGE:liver, all\t1", "1\tA-\tCAGE:liver, all\t0",
             "2\tB\tDNASE:K562\t2", "3\tB\tDNASE:HepG2\t3", "4\tC\tCHIP:CTCF\t4"]  # fmt: skip
    (folder / "targets.txt").write_text("\n".join(lines) + "\n")
    human, mouse = read(folder, form.window_bp).readout.heads
    assert human.tracks == ("A+", "A-", "B_2", "B_3", "C")
    assert (human.assays, human.pairs) == (("CAGE", "CAGE", "DNASE", "DNASE", "CHIP"), (1, 0, 2, 3, 4))
    assert (mouse.tracks[0], mouse.pairs) == ("mouse_0", ())
    (folder / "targets_mouse.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(FormatError, match=r"targets_mouse.txt: expected a header with identifier and 3 lines"):
        read(folder, form.window_bp)
    (folder / "targets_mouse.txt").write_text("identifier\tstrand_pair\na\t0\nb\t2\nc\t-1\n")
    with pytest.raises(FormatError, match=r"targets_mouse.txt, line 4: expected strand_pair, a whole number"):
        read(folder, form.window_bp)


def test_functions_of_a_shorter_window_are_those_of_the_same_distances() -> None:
    whole, few = values("enformer", 12, TOKENS), functions_of_distance("CPU")("enformer", 12, TOKENS, 6).numpy()
    assert np.array_equal(few, whole[TOKENS - 6 : TOKENS + 5].astype(np.float32))
    np.testing.assert_allclose(whole, FORMS["enformer"].basis(12), atol=1e-14)
    np.testing.assert_allclose(values("borzoi", 32, 4096)[4095 - 19 : 4095 + 20], FORMS["borzoi"].basis(32), atol=1e-14)


def test_the_published_gamma_functions_are_gamma_densities_with_the_errors_of_float32() -> None:
    """The largest of each is 1; float32 exponents of some thousand leave up to 0.0025; both signs are alike."""
    kept, n = published(), 1536
    assert kept.shape == (2 * n - 1, 32)
    assert np.array_equal(kept, kept[::-1])
    assert (kept.max(0) == 1).all()
    distance, mean = np.abs(np.arange(1 - n, n, dtype=float))[:, None], np.linspace(n / 32, n, 32)
    shape, rate = (mean / 24) ** 2, mean / 24**2
    with np.errstate(divide="ignore"):
        logarithm = (shape - 1) * np.log(distance) - rate * distance
    exact = np.exp(logarithm - logarithm.max(0))
    assert 1e-3 < np.abs(kept - exact).max() < 3e-3
    assert np.abs(kept - exact).mean() < 2e-5


def test_a_window_beyond_known_distances_is_refused() -> None:
    c = ImportedTracksConfig(heads=(("a", 1),), functions="published", n_functions=192)
    readout = TrackReadout(heads=(TrackHead(head="a", tracks=("x",), scale=(1.0,), soft_clip=0.0, window_bp=1544 * 8),))
    with pytest.raises(ConfigError, match="at most the 12288 bases that the model was made for, got 12352"):
        readout.check(c)


def test_sequences_that_make_no_whole_tokens_or_reach_beyond_known_distances_are_refused() -> None:
    model = ImportedTracks(ImportedTracksConfig(heads=(("a", 1),), n_tokens=6, crop_bp=8))
    for n, text in ((20, "a multiple of 8 bases, got one of 20"), (56, "at most 48 bases, for which it knows"),
                    (16, "longer than both crops of 8 bases, got one of 16")):  # fmt: skip
        bases = Tensor(np.zeros((1, n), np.uint8))
        with pytest.raises(ShapeError, match=text):
            model(bases, bases)
    with pytest.raises(ConfigError, match="expected a head named a, got 'b'"):
        model(bases, bases, "b")
