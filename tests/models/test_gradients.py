"""Gradients of whole models: linear in the gradient of the loss, which no comparison at one scale would show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.models.registry import KINDS

N = 64
SHAPE = {"width": 32, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0}
FIELDS: dict[str, dict[str, Any]] = {
    "SequenceClassifier": {"n_classes": 2, "max_length": N},
    "GenomicGPT": {},
    "MaskedEncoder": {},
    "TrackModel": {"heads": (("human", 2),), "stem_width": 32, "bin_bp": 8, "crop_bp": 8, "composition_bp": (8,)},
    "PerBaseModel": {},
}


def test_every_kind_is_here() -> None:
    assert set(FIELDS) == set(KINDS)


@pytest.mark.parametrize("kind", FIELDS)
def test_twice_the_loss_has_twice_the_gradient(kind: str) -> None:
    """Bit for bit for powers of two: nothing in a backward pass may depend on how large a gradient is."""
    model = KINDS[kind].model(KINDS[kind].config(**SHAPE, **FIELDS[kind]), seed=0)
    parameters = get_state_dict(model)
    rng = np.random.default_rng(0)
    bases, ids = (Tensor(rng.integers(0, top, (2, N)).astype(np.uint8)).realize() for top in (4, 16))
    more = [Tensor([N, N - 9])] if kind in ("SequenceClassifier", "MaskedEncoder") else []
    if kind == "MaskedEncoder":
        more.append(Tensor([[3, 17], [40, 2]]))
    found = []
    for scale in (2.0**-12, 2.0**12):
        loss = (model(bases, ids, *more) * scale).square().sum() / scale
        gradients = loss.gradient(*parameters.values())
        Tensor.realize(*gradients)
        found.append([x.numpy() / scale for x in gradients])
    assert any(np.abs(x).max() > 0 for x in found[0])
    for name, small, large in zip(parameters, *found, strict=True):
        assert np.array_equal(small, large), name
