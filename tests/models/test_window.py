"""`window_bp`: an answer depends on bases within the window of every layer and on no others; some kinds refuse it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError
from gattn_tg.models.kinds import KINDS

N, AT, WINDOW = 96, 40, 16
SIZES: dict[str, Any] = {"width": 16, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0,
                         "embed_motifs": False}  # fmt: skip
# Fields of each kind, and how far the convolutions reach that stand before the attention.
KINDS_WITH: dict[str, tuple[dict[str, Any], int]] = {
    "PerBaseModel": ({"stem_kernel": 5}, 2),
    "TrackModel": ({"heads": (("human", 1),), "stem_width": 16, "bin_bp": 8, "crop_bp": 0, "composition_bp": (),
                    "stem_kernel": 5, "tower_kernel": 3}, 24),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS_WITH)
def test_a_base_changes_answers_within_the_window_only(kind: str) -> None:
    fields, reach = KINDS_WITH[kind]
    rng = np.random.default_rng(0)
    bases = rng.integers(0, 4, (1, N)).astype(np.uint8)
    other = bases.copy()
    other[0, AT] = (other[0, AT] + 1) % 4
    ids = rng.integers(0, 16, (1, N)).astype(np.uint8)
    moved = {}
    for window in (WINDOW, 0):
        model = KINDS[kind].model(KINDS[kind].config(**SIZES, **fields, window_bp=window), seed=1)
        one, two = (model(Tensor(x), Tensor(ids)).numpy()[0, :, 0] for x in (bases, other))
        bp = N // len(one)
        moved[window] = {i * bp for i in np.flatnonzero(one != two).tolist()}
    assert max(moved[0]) - min(moved[0]) > 2 * (WINDOW + reach)  # without a window it reaches further
    assert all(AT - WINDOW - reach - bp < i <= AT + WINDOW + reach for i in moved[WINDOW])
    assert min(moved[WINDOW]) <= AT - WINDOW + bp  # and with one it reaches its edges
    assert max(moved[WINDOW]) >= AT + WINDOW - bp


def test_windows_that_mean_nothing_are_refused() -> None:
    for kind, fields in (("GenomicGPT", {"context": 8}), ("ImportedEncoder", {"word_bp": 3}), ("SiteModel", {})):
        with pytest.raises(ConfigError, match="window_bp"):
            KINDS[kind].config(**SIZES, **fields, window_bp=8)
    with pytest.raises(ConfigError, match="a multiple of bin_bp = 8"):
        KINDS["TrackModel"].config(**SIZES, **KINDS_WITH["TrackModel"][0], window_bp=12)
