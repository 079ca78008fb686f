"""Small answers about the map against the whole map."""

from __future__ import annotations

import numpy as np
import pytest

from gattn_tg.ops.attention.cases import CASES
from gattn_tg.reference import Bias, Rope, distance, motif_mass, probabilities, received

NAMED = {case.name: case for case in CASES}


@pytest.fixture(params=["pair", "causal_more_keys", "ordered_more_keys", "rope_far", "all_together"])
def question(request):
    x = NAMED[request.param].inputs()
    keywords = x.keywords(Bias, Rope, np.asarray)
    p, lse = probabilities(x.q, x.k, **keywords)
    return x, keywords, p, np.isfinite(lse)


def test_motif_mass_splits_the_row_by_the_motif_of_the_key(question):
    x, keywords, p, seeing = question
    ids_k = x.ids if x.ids_k is None else x.ids_k
    mass = motif_mass(x.q, x.k, ids_k, n_motifs=6, **keywords)
    assert mass.shape == (*p.shape[:3], 6)
    np.testing.assert_allclose(mass.sum(-1), seeing, atol=1e-14)
    i, c = 5, int(ids_k[1, 3])
    np.testing.assert_allclose(mass[1, 0, i, c], p[1, 0, i][ids_k[1] == c].sum(), rtol=1e-13)


def test_received_adds_the_columns_up(question):
    x, keywords, p, seeing = question
    got = received(x.q, x.k, **keywords)
    np.testing.assert_allclose(got, np.einsum("bhij->bhj", p), atol=1e-13)
    np.testing.assert_allclose(got.sum(-1), seeing.sum(-1), atol=1e-12)


def test_distance_bins_double(question):
    x, keywords, p, seeing = question
    bins = distance(x.q, x.k, n_bins=4, **keywords)
    n, m = p.shape[2:]
    at_q, at_k = np.arange(n) + m - n, np.arange(m)
    if x.positions is not None:
        at_q, at_k = (side[1] for side in (x.positions if isinstance(x.positions, tuple) else (x.positions,) * 2))
    apart = abs(at_q[:, None] - at_k[None, :])
    expected = [p[1, 0][chosen].sum() for chosen in (apart == 0, apart == 1, (apart > 1) & (apart < 4), apart >= 4)]
    np.testing.assert_allclose(bins[1, 0], expected, atol=1e-12)
    np.testing.assert_allclose(bins.sum(-1), seeing.sum(-1), atol=1e-12)
