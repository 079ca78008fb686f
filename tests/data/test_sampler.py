"""Orders as a function of (seed, step)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.data import Sampler
from gattn_tg.data.sampler import hashed, permuted
from gattn_tg.errors import ConfigError


@given(st.integers(1, 300), st.integers(0, 2**63))
def test_every_key_gives_a_permutation(n: int, key: int) -> None:
    assert sorted(permuted(np.arange(n), n, key).tolist()) == list(range(n))


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 99))
def test_ranks_share_every_pass_without_overlap(n: int, batch: int, ranks: int, seed: int) -> None:
    samplers = [Sampler(n, batch, seed, rank, ranks) for rank in range(ranks)]
    n_steps = -(-3 * n // (batch * ranks))
    seen = np.concatenate([sampler.rows(step) for step in range(n_steps) for sampler in samplers])
    for start in (0, n, 2 * n):
        assert sorted(seen[start : start + n].tolist()) == list(range(n))


def test_passes_and_seeds_differ() -> None:
    first, second = (np.concatenate([Sampler(100, 10, 1).rows(s) for s in range(a, a + 10)]) for a in (0, 10))
    assert (first != second).any()
    assert (first != np.concatenate([Sampler(100, 10, 2).rows(s) for s in range(10)])).any()
    assert np.concatenate([Sampler(100, 10).rows(s) for s in range(10)]).tolist() == list(range(100))


def test_a_late_step_is_as_quick_as_the_first() -> None:
    """No replay: a step far out is computed from its number alone, on a dataset no permutation of which would fit."""
    sampler = Sampler(3 * 10**12, 4, 7)
    rows = sampler.rows(10**12)
    assert len(set(rows.tolist())) == 4
    assert sampler.rows(10**12).tolist() == rows.tolist()
    assert sampler.epoch(10**12) == 1


def test_order_looks_random() -> None:
    """No neighbours stay together and every row is as likely anywhere: correlations of a permutation are small."""
    n = 20_000
    order = permuted(np.arange(n), n, 5)
    assert abs(np.corrcoef(np.arange(n), order)[0, 1]) < 0.03
    assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 0.03
    assert (np.abs(np.diff(order)) == 1).mean() < 1e-3


def test_draws_depend_on_position_and_stream_only() -> None:
    sampler = Sampler(50, 8, 3)
    assert (sampler.draws(4, 1) == sampler.draws(4, 1)).all()
    assert (sampler.draws(4, 1) != sampler.draws(4, 2)).all()
    both = np.concatenate([Sampler(50, 4, 3, rank, 2).draws(4, 1) for rank in range(2)])
    assert (both == sampler.draws(4, 1)).all()
    bits = np.concatenate([sampler.draws(step, 1) for step in range(500)]) & np.uint64(1)
    assert 0.45 < bits.mean() < 0.55


def test_values_stay_for_ever() -> None:
    assert hashed(1, 2) == 13608149317741381227
    assert permuted(np.arange(8), 8, 1).tolist() == [6, 2, 4, 0, 1, 5, 3, 7]


@pytest.mark.parametrize("setting", [(0, 1, 0, 0, 1), (1, 0, 0, 0, 1), (1, 1, -1, 0, 1), (1, 1, 0, 1, 1)])
def test_settings_that_cannot_be(setting: tuple[int, ...]) -> None:
    n, batch, seed, rank, ranks = setting
    with pytest.raises(ConfigError) as caught:
        Sampler(*setting)
    assert str(caught.value) == (
        "sampler: expected n_rows and batch_size of at least 1, 0 <= rank < n_ranks and seed >= 0, "
        f"got {n}, {batch}, {rank}, {ranks} and {seed}; correct the setting"
    )


def test_negative_steps_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Sampler(5, 1).rows(-1)
    assert str(caught.value) == "sampler: expected a step of at least 0, got -1; correct it"
