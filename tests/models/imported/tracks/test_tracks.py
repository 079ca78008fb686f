"""Models of tracks of other projects: what is computed is what the originals compute; every weight is accounted for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from foreign_tracks import FORMS, TRACKS, TracksForm
from tinygrad import Tensor

from gattn_tg.models.imported.folder import read_folder
from gattn_tg.models.imported.tracks.names import tracks_family_of
from gattn_tg.models.imported.tracks.reading import ImportedTracksFound, imported_tracks
from gattn_tg.ops.poisson import softplus

EPS = 2.0**-23
RNG = np.random.default_rng(5)


def read(folder: Path, window_bp: int | None) -> ImportedTracksFound:
    files = read_folder(folder)
    family = tracks_family_of(files.weights)
    assert family is not None
    return imported_tracks(files, family, window_bp)


def sequence(form: TracksForm) -> tuple[np.ndarray, np.ndarray]:
    """Base ids of a window with an N, and the same one-hot."""
    ids = RNG.integers(0, 4, form.window_bp).astype(np.uint8)
    ids[7] = 4
    return ids, np.eye(5)[ids][:, :4]


@pytest.mark.parametrize("name", FORMS)
def test_hidden_vectors_and_tracks_are_those_of_the_original(name: str, tmp_path: Path) -> None:
    """At most twice as far from the definition in float64 as the definition in float32 is."""
    form = FORMS[name]
    found = read(form.write(tmp_path / "m"), form.window_bp)
    ids, hot = sequence(form)
    bases, model = Tensor(ids[None]), found.model
    x = model.features(bases, bases).realize()
    got = {head: softplus(model.heads[head](x)) for head in TRACKS}
    if form.is_enformer:
        got["hidden"] = model.hidden(bases, bases)
    truth, plain = form.outputs(hot), form.outputs(hot, dtype=np.float32)
    for part, y in got.items():
        true = truth[part]
        error, allowed = np.abs(y.numpy()[0] - true).max(), 2 * np.abs(plain[part] - true).max()
        assert y.shape == (1, *true.shape)
        assert error <= allowed + EPS * np.abs(true).max(), f"{part}: {error:.1e} where {allowed:.1e} is allowed"
