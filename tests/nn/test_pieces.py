"""Blocks over long sequences piece by piece: outputs bit for bit, gradients up to rounding, two runs alike."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict

from gattn_tg.models.bases import PerBaseConfig, PerBaseModel
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.trunk import Trunk
from gattn_tg.nn import pieces
from gattn_tg.ops import dropout, linear, overlaps, recompute

LENGTH, WHOLE = 300, 10**9  # bases of a sequence; rows of a piece that holds any
SIZES: dict[str, Any] = {"width": 32, "n_layers": 1, "n_heads": 2, "mlp_ratio": 2, "dropout": 0.0}
ANCHORS: dict[str, Any] = {"anchors": ("cpg", "tata_box"), "n_anchors": 20}


def causal(**changes: Any) -> Trunk:
    return GenomicGPT(GPTConfig(**{**SIZES, "context": 64, "words": (3,), **changes}))


def both_sides(**changes: Any) -> Trunk:
    return PerBaseModel(PerBaseConfig(**{**SIZES, "n_labels": 1, "window_bp": 32, "stem_kernel": 3, **changes}))


# a model, rows of a piece, sequences: two pieces alike, and pieces of two sequences; the first has one head, so that
# its pieces and its whole blocks are attended by the same kernels
MODELS = {
    "causal, two layers": (lambda: causal(**ANCHORS, n_layers=2, n_heads=1), 150, 1),
    "on both sides, two heads of eight channels for a key head, a table for each": (
        lambda: both_sides(**ANCHORS, n_heads=4, n_kv_heads=2, motif="ordered", per_head=True), 299, 2,
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "ROWS", LENGTH // 2)
    monkeypatch.setattr(linear, "SMALL", 0)  # as pieces of ROWS rows are multiplied, whatever the width


def drawn(batch: int = 1) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    bases = rng.integers(0, 4, (batch, LENGTH)).astype(np.uint8)
    ids = rng.integers(0, 5, (batch, LENGTH)) * (rng.random((batch, LENGTH)) < 0.2)
    return Tensor(bases).realize(), Tensor(ids.astype(np.uint8)).realize()


def learnt(model: Trunk) -> list[Tensor]:
    """Its parameters, with tables that are not zero."""
    rng, parameters = np.random.default_rng(1), get_state_dict(model)
    for name, x in parameters.items():
        if name.endswith("motif_bias"):
            x.assign(Tensor(rng.standard_normal(x.shape).astype(np.float32))).realize()
    return list(parameters.values())


def gradients(model: Trunk, parameters: list[Tensor], given: tuple[Tensor, Tensor]) -> list[np.ndarray]:
    """Of a weighted sum, as `[train] recompute` finds them; a sum of squares behind a norm has almost none."""
    weights = np.random.default_rng(2).standard_normal(model.config.width).astype(np.float32)
    with recompute.recomputing() as stages:
        total = (model.hidden(*given) * Tensor(weights)).sum()
        return [x.numpy() for x in recompute.gradients(stages, total, parameters)]


@cache
def answered(name: str, rows: int) -> tuple[Any, list[np.ndarray], int]:
    """Outputs with nothing kept, gradients, and how often blocks ran in pieces of so many rows."""
    make, _, batch = MODELS[name]
    model, given, used, run = make(), drawn(batch), [], pieces.run
    parameters = learnt(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "run", lambda *given: (used.append(1), run(*given))[1])
        patch.setattr(pieces, "ROWS", rows)
        with recompute.forgetting():
            out = model.hidden(*given).numpy()
        return out, gradients(model, parameters, given), len(used)


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_those_of_whole_blocks_bit_for_bit_and_gradients_up_to_rounding(name: str) -> None:
    (out, found, n_pieces), (whole, wanted, n_whole) = answered(name, MODELS[name][1]), answered(name, WHOLE)
    assert (n_pieces, n_whole) == (2, 0)
    np.testing.assert_array_equal(out, whole)
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * max(float(np.abs(want).max()), 1e-6))


@pytest.mark.parametrize(("b", "n"), [(1, LENGTH + 1), (2, 2 * LENGTH + 1), (7, 10 * LENGTH + 3)])
def test_no_piece_is_so_short_that_its_products_have_other_bits(b: int, n: int) -> None:
    """Tails of a few rows would be multiplied by other kernels than the rest."""
    found = overlaps.cuts(b, n, pieces.ROWS)
    sizes = [x.stop - x.start for x in found]
    assert (found[0].start, found[-1].stop) == (0, n)
    assert [x.stop for x in found[:-1]] == [x.start for x in found[1:]]
    assert max(sizes) <= pieces.ROWS // b
    assert min(sizes) >= max(sizes) - 1


@pytest.mark.parametrize("rows", [LENGTH // 2, WHOLE])
def test_gradients_of_anchors_have_the_same_bits_in_two_runs(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "ROWS", rows)
    make, _, batch = MODELS["causal, two layers"]
    model = make()
    again = gradients(model, learnt(model), drawn(batch))
    assert [a.tobytes() for a in answered("causal, two layers", rows)[1]] == [b.tobytes() for b in again]


def test_dropout_draws_the_same_masks_when_a_piece_is_computed_again() -> None:
    """The gradient of what a step sees: with masks of its own each way it would not be the slope of the loss."""
    model, given = causal(n_heads=1, dropout=0.3), drawn()
    parameters = learnt(model)
    weight = model.blocks[0].mlp_norm.bias
    place = next(i for i, p in enumerate(parameters) if p is weight)
    key = Tensor(np.array([3, 5], np.uint32)).realize()

    def loss(step: float) -> tuple[float, float]:
        before = weight.numpy().copy()
        weight.assign(Tensor(before + np.float32(step))).realize()
        with Context(TRAINING=1), dropout.drawn_from(key), recompute.recomputing() as stages:
            total = model.hidden(*given)[:, :, :8].sum()
            found = recompute.gradients(stages, total, parameters)
            values = float(total.item()), float(found[place].sum().item())
        weight.assign(Tensor(before)).realize()
        return values

    slope = (loss(0.01)[0] - loss(-0.01)[0]) / 0.02
    assert loss(0.0)[1] == pytest.approx(slope, rel=2e-2, abs=0.05)


def test_who_may_ask_for_gradients_gets_whole_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "run", lambda *given: pytest.fail("blocks ran in pieces"))
    model, given = causal(n_heads=1), drawn()
    weight = model.blocks[0].attention.q_proj.weight
    assert model.hidden(*given).square().sum().gradient(weight)[0].abs().max().item() > 0
