"""Gradients of whole models: linear in the gradient of the loss, which no comparison at one scale would show, and the
same on several devices."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.models.captured.inputs import to_tensors
from gattn_tg.models.kinds import KINDS
from gattn_tg.training.keep.state import placed
from gattn_tg.training.task import Device

N = 64
SHAPE = {"width": 32, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0}
FIELDS: dict[str, dict[str, Any]] = {
    "SequenceClassifier": {"n_classes": 2, "max_length": N, "kmers": 4, "kmer_gaps": 2, "placed": 2, "pool": "both"},
    "GenomicGPT": {},
    "MaskedEncoder": {},
    "TrackModel": {"heads": (("human", 2),), "stem_width": 32, "bin_bp": 4, "crop_bp": 8, "composition_bp": (8,)},
    "PerBaseModel": {},
    "SiteModel": {"around_bp": 16, "pool_bp": 8, "local_width": 8, "stem_kernel": 3, "composition_bp": (8,)},
    "ImportedEncoder": {"word_bp": 3, "mlp_width": 32, "motif": "key"},
    "ImportedClassifier": {"n_classes": 2, "max_length": N, "word_bp": 3, "mlp_width": 32, "motif": "key"},
    "ImportedTracks": {"heads": (("human", 2),), "stage_widths": (32,), "n_functions": 12},
}


def test_every_kind_is_here() -> None:
    assert set(FIELDS) == set(KINDS)


def gradients(kind: str, scale: float, device: Device = None, reads: int = 0) -> dict[str, np.ndarray]:
    """Gradients by parameter of one loss times `scale`, divided by it again.

    With `reads` the loss was read before, and they are the mean of so many calls of `backward`.
    """
    model = KINDS[kind].model(KINDS[kind].config(**SHAPE, **FIELDS[kind]), seed=0)
    parameters = placed(model, device)
    rng = np.random.default_rng(0)
    arrays = {"bases": rng.integers(0, 4, (2, N)).astype(np.uint8), "ids": rng.integers(0, 16, (2, N)).astype(np.uint8)}
    if kind not in ("GenomicGPT", "TrackModel", "PerBaseModel"):
        arrays["lengths"] = np.array([N, N - 9], np.int32)
    if kind == "SiteModel":
        around = (2, N, 16)
        arrays["bases"], arrays["ids"] = (rng.integers(0, top, around).astype(np.uint8) for top in (4, 16))
        arrays["positions"] = np.sort(rng.integers(0, 9_999, (2, N))).astype(np.int32)
        arrays["facts"] = rng.standard_normal((2, N, 8)).astype(np.float32)
    if kind in ("MaskedEncoder", "ImportedEncoder"):
        arrays["places"] = np.array([[3, 17], [40, 2]], np.int32)
    loss = (model(*to_tensors(arrays, device).values()) * scale).square().sum() / scale
    if not reads:
        found = loss.gradient(*parameters.values())
    else:
        loss.item()
        for x in parameters.values():
            x.grad = None
        for _ in range(reads):
            loss.backward()
        found = [x.grad / reads for x in parameters.values() if x.grad is not None]
    Tensor.realize(*found)
    return {name: x.numpy() / scale for name, x in zip(parameters, found, strict=True)}


@cache
def plain(kind: str) -> dict[str, np.ndarray]:
    """The gradients that all others are compared with."""
    return gradients(kind, 1.0)


@pytest.mark.parametrize("kind", ["SequenceClassifier", "PerBaseModel"])  # TrackModel, the slowest, is in the others
def test_twice_the_loss_has_twice_the_gradient(kind: str) -> None:
    """Bit for bit for powers of two: nothing in a backward pass may depend on how large a gradient is."""
    small, large = plain(kind), gradients(kind, 2.0**20)
    assert any(np.abs(x).max() > 0 for x in small.values())
    for name, x in small.items():
        assert np.array_equal(x, large[name]), name


@pytest.mark.parametrize("kind", ["SequenceClassifier", "PerBaseModel", "GenomicGPT"])  # pooled, per base, shifted
def test_rows_on_two_devices_have_the_gradients_of_one(kind: str) -> None:
    one, two = plain(kind), gradients(kind, 1.0, ("CPU:0", "CPU:1"))
    largest = max(np.abs(x).max() for x in one.values())
    for name, x in one.items():
        np.testing.assert_allclose(two[name], x, rtol=1e-4, atol=1e-6 * largest, err_msg=name)


# the trunk of ImportedClassifier is that of the encoder; ImportedTracks is compared with the definition, in its room
@pytest.mark.parametrize("kind", sorted(set(FIELDS) - {"ImportedClassifier", "ImportedTracks"}))
def test_a_loss_that_was_read_has_the_same_gradient(kind: str) -> None:
    before, after = plain(kind), gradients(kind, 1.0, reads=2)
    largest = max(np.abs(x).max() for x in before.values())
    for name, x in before.items():
        np.testing.assert_allclose(after[name], x, rtol=1e-4, atol=1e-6 * largest, err_msg=name)
