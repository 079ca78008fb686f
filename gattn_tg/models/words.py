"""Words: the code of the k bases that end at a base, so that a table has one row for each of them."""

from __future__ import annotations

from tinygrad import Tensor, dtypes

from gattn_tg.errors import UnsupportedError
from gattn_tg.types import Int, UInt8

LONGEST = 10  # 4**10 rows; a longer word is too rare to learn a row of its own


def n_words(k: int) -> int:
    """Rows of a table of words of k bases: one each, and a last one for words with an N or a missing base."""
    return int(4**k + 1)


def word_ids(bases: UInt8[Tensor, "b n"], k: int) -> Int[Tensor, "b n"]:
    """The row of the word that ends at base i: sum_t b[i-t] 4**t over t < k, or 4**k where one of them is not known.

    Words before the first base are not known, so a base never sees what is after it.

    Args:
        bases: ids A C G T N = 0..4.
        k: bases of a word, 1 to 10.

    Raises:
        UnsupportedError: weights over bases in place of ids: of words there are too many.
    """
    if dtypes.is_float(bases.dtype):
        raise UnsupportedError(f"words of {k} bases: expected ids of bases, got weights over them; ask by changing "
                               "bases instead")
    n = bases.shape[1]
    wide = bases.cast(dtypes.int32).pad(((0, 0), (k - 1, 0)), value=4)
    bases_back = [wide[:, k - 1 - t : k - 1 - t + n] for t in range(k)]
    code, unknown = bases_back[0], bases_back[0] >= 4
    for t, base in enumerate(bases_back[1:], start=1):
        code, unknown = code + base * 4**t, unknown | (base >= 4)
    return unknown.where(4**k, code)
