"""Convolutions along long sequences piece by piece: outputs bit for bit, gradients up to rounding, two runs alike."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.kernels.dense import convolution
from gattn_tg.models.tracks import TrackConfig, TrackModel
from gattn_tg.ops import linear, overlaps, recompute

LENGTH, PIECE, WHOLE = 1_040, 260, 10**9  # bases; rows of a piece, and of one that holds any sequence
CONFIG: dict[str, Any] = {"heads": (("tracks", 2),), "width": 32, "stem_width": 32, "n_layers": 1, "n_heads": 2,
                          "bin_bp": 8, "composition_bp": (8, 64), "dropout": 0.0}  # fmt: skip


@pytest.fixture(autouse=True)
def _kernels_of_long_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "SMALL", 0)
    monkeypatch.setattr(convolution, "LEAST_ROWS", 64)


def smoothed(x: Tensor) -> Tensor:
    """Each of every two rows sees three on both sides, with zeros beyond the ends."""
    n = x.shape[1]
    padded = x.pad(((0, 0), (3, 3), (0, 0)))
    total = sum((i + 1) * padded[:, i : i + n] for i in range(1, 7)) + padded[:, :n]
    assert isinstance(total, Tensor)
    return (total * total).reshape(x.shape[0], n // 2, 2, x.shape[2]).sum(2)


@pytest.mark.parametrize(("b", "n"), [(1, 24), (1, 200), (3, 52), (2, 36)])
def test_pieces_of_any_length_give_the_whole_and_its_gradient(b: int, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(n)
    x = Tensor(rng.standard_normal((b, n, 2)).astype(np.float32)).realize()
    scale = Tensor(np.ones(2, np.float32)).realize()
    weights = Tensor(rng.standard_normal((b, n // 4, 2)).astype(np.float32)).realize()
    found = []
    for rows in (WHOLE, 20):
        monkeypatch.setattr(overlaps, "ROWS", rows)
        with recompute.forgetting():
            out = overlaps.along(lambda x: smoothed(x * scale), x, halo=3, rate=2).numpy()
        with recompute.recomputing() as stages:
            y = overlaps.along(lambda x: smoothed(x * scale).tanh(), (x * scale).sin(), halo=3, rate=2)
            y = overlaps.along(lambda x: smoothed(x * scale), y, halo=3, rate=2)
            (slope,) = recompute.gradients(stages, (y * weights).sum(), [scale])
        found.append((out, slope.numpy()))
    (whole, wanted), (pieces, got) = found
    np.testing.assert_allclose(pieces, whole, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(got, wanted, rtol=1e-4)


def given(batch: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    bases = rng.integers(0, 5, (batch, LENGTH)).astype(np.uint8)
    ids = rng.integers(0, 5, (batch, LENGTH)) * (rng.random((batch, LENGTH)) < 0.2)
    return Tensor(bases).realize(), Tensor(ids.astype(np.uint8)).realize()


@cache
def answered(rows: int, batch: int, run: int = 0) -> tuple[np.ndarray, list[bytes], list[np.ndarray], int]:
    """Rates with nothing kept, gradients of all weights as `[train] recompute` finds them, and how often pieces ran."""
    model, used, ran = TrackModel(TrackConfig(**CONFIG)), [], overlaps._pieces
    parameters = list(get_state_dict(model).values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "ROWS", rows)
        patch.setattr(overlaps, "_pieces", lambda *sizes: (used.append(1), ran(*sizes))[1])
        with recompute.forgetting():
            out = model(*given(batch)).numpy()
        with recompute.recomputing() as stages:
            total = model(*given(batch)).square().sum()
            found = [x.numpy() for x in recompute.gradients(stages, total, parameters)]
    return out, [x.tobytes() for x in found], found, len(used)


@pytest.mark.parametrize(("batch", "stages"), [(1, 2), (2, 1)])  # with the stem; of two sequences pieces are shorter
def test_a_tower_in_pieces_answers_bit_for_bit_and_learns_up_to_rounding(batch: int, stages: int) -> None:
    (out, _, found, n_pieces), (whole, _, wanted, n_whole) = (answered(rows, batch) for rows in (PIECE * batch, WHOLE))
    assert (n_pieces, n_whole) == (2 * stages, 0)  # asked once, and learnt from once
    np.testing.assert_array_equal(out, whole)
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * max(float(np.abs(want).max()), 1e-6))


def test_two_runs_in_pieces_have_the_same_bits() -> None:
    assert answered(PIECE, 1)[1] == answered(PIECE, 1, run=1)[1]


def test_a_tower_computed_again_has_the_gradients_of_one_that_is_kept() -> None:
    model = TrackModel(TrackConfig(**CONFIG))
    parameters = list(get_state_dict(model).values())
    kept = model(*given(1)).square().sum().gradient(*parameters)
    for x, y in zip(kept, answered(WHOLE, 1)[2], strict=True):
        np.testing.assert_array_equal(x.numpy(), y)


@pytest.mark.parametrize(("b", "n", "rate"), [(1, 1_001, 1), (2, 1_000, 2), (7, 3_002, 2)])
def test_pieces_cover_the_sequence_and_differ_by_one_step(b: int, n: int, rate: int,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlaps, "ROWS", 300)
    found = overlaps._pieces(b, n, 4, rate)
    assert (found[0].start, found[0].first, found[-1].last, found[-1].stop) == (0, 0, n, n)
    assert [x.last for x in found[:-1]] == [x.first for x in found[1:]]
    sizes = [x.last - x.first for x in found]
    assert max(sizes) - min(sizes) <= rate
    assert all(size % rate == 0 for size in sizes)
    assert max(sizes) <= 300 // b + rate
