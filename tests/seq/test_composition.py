"""GC and CpG of sequences, against counting letters; the features of models are the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.seq import encode
from gattn_tg.seq.composition import cpg_observed_expected, gc_fraction


@given(st.text(alphabet="ACGTN", max_size=60))
def test_shares_are_those_of_the_known_bases(sequence: str) -> None:
    ids, known = encode(sequence), len(sequence) - sequence.count("N")
    n_c, n_g = sequence.count("C"), sequence.count("G")
    assert gc_fraction(ids) == pytest.approx((n_c + n_g) / known if known else 0)
    expected = sequence.count("CG") * known / (n_c * n_g) if n_c * n_g else 0
    assert cpg_observed_expected(ids) == pytest.approx(expected)


def test_rows_are_counted_apart() -> None:
    rows = np.stack([encode("ACGT"), encode("NNNN"), encode("CCGG")])
    assert gc_fraction(rows).tolist() == [0.5, 0, 1]
    assert cpg_observed_expected(rows).tolist() == [4, 0, 1]
