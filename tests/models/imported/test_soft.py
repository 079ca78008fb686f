"""Weights over bases and motif ids in place of ids: with one weight of 1 they are the tokens of the ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from foreign import FORMS
from tinygrad import Tensor

from gattn_tg.models.imported.reading import imported
from gattn_tg.models.imported.soft import soft_tokens
from gattn_tg.models.imported.tokens import tokens_of
from gattn_tg.seq import encode


@pytest.mark.parametrize("name", ["bert", "nt1"])
def test_one_weight_per_base_makes_the_tokens_of_the_ids(name: str, tmp_path: Path) -> None:
    """Words, single bases, N, and the motif ids of words; a share of a motif goes to the word that it is first in."""
    config = replace(imported(FORMS[name].write(tmp_path)).model.config, motif="key")
    rows = ["ACGTTGNCATTAGC", "TTGACAG"]
    bases, motifs = np.full((2, 16), 4, np.uint8), np.zeros((2, 16), np.uint8)
    for held, row in zip(bases, rows, strict=True):
        held[: len(row)] = encode(row)
    motifs[0, [1, 2, 5, 9, 13]], motifs[1, [4, 6]] = [3, 5, 2, 7, 1], [4, 6]
    lengths = np.array([14, 7], np.int32)
    hard = tokens_of(config, Tensor(bases), Tensor(motifs), Tensor(lengths))
    weights, shares = np.eye(5, dtype=np.float32)[bases], np.eye(16, dtype=np.float32)[motifs]
    soft = soft_tokens(config, Tensor(weights), Tensor(shares), Tensor(lengths))
    assert np.array_equal(soft.ids.numpy(), np.eye(config.n_words)[hard.ids.numpy()])
    assert np.array_equal(soft.motif_ids.numpy(), np.eye(16)[hard.motif_ids.numpy()])
    assert soft.lengths.tolist() == hard.lengths.tolist()
    if name == "nt1":
        shares[0, 1] = 0.75 * shares[0, 1] + 0.25 * shares[0, 0]
        found = soft_tokens(config, Tensor(weights), Tensor(shares), Tensor(lengths)).motif_ids.numpy()[0, 1]
        assert np.array_equal(np.flatnonzero(found), [3, 5])
        np.testing.assert_allclose(found[[3, 5]], [0.75, 0.25])
