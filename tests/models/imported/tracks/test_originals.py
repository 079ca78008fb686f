"""Enformer beside enformer-pytorch, which wrote the files: at most twice as far from float64 as PyTorch is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.models.imported.folder import read_folder
from gattn_tg.models.imported.tracks.functions import published
from gattn_tg.models.imported.tracks.names import ENFORMER
from gattn_tg.models.imported.tracks.reading import imported_tracks

WINDOW, EPS = 768, 2.0**-23
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def original() -> Any:
    pytest.importorskip("torch", reason="the original needs PyTorch")
    return pytest.importorskip("enformer_pytorch", reason="the original is a package that pins its transformers")


def test_tracks_are_those_of_the_original(original: Any, tmp_path: Path) -> None:
    import torch

    model = original.Enformer.from_hparams(
        dim=48, depth=2, heads=2, output_heads={"human": 7}, target_length=32, attn_dim_key=16, num_downsamples=4,
        dim_divisible_by=8).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * (0.2 if p.ndim == 1 else 0.05))
        for name, x in model.named_buffers():
            if "running" in name:
                x.add_(torch.rand(x.shape, generator=generator))
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")  # every weight of the trunk by both of its names
    ids = np.random.default_rng(0).integers(0, 4, (1, WINDOW)).astype(np.uint8)
    hot = np.eye(4, dtype=np.float32)[ids]
    with torch.no_grad():
        narrow = model(torch.tensor(hot))["human"].numpy()
        true = model.double()(torch.tensor(hot).double())["human"].numpy()
    found = imported_tracks(read_folder(tmp_path), ENFORMER, WINDOW).model
    error = np.abs(found(Tensor(ids), Tensor(ids)).numpy() - true).max()
    assert error <= 2 * np.abs(narrow - true).max() + EPS * np.abs(true).max()


def test_the_published_gamma_functions_are_those_of_the_original(original: Any) -> None:
    from enformer_pytorch.modeling_enformer import TF_GAMMAS

    assert np.array_equal(published(), TF_GAMMAS.numpy())
