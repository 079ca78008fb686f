"""Dividing a dataset into parts that do not leak into each other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from gattn_tg.data.order import shuffled
from gattn_tg.errors import ConfigError
from gattn_tg.types import Int

AT_ONCE = 1 << 16  # groups that are Python numbers at a time


def split(
    labels: Int[np.ndarray, "N"],
    sizes: Sequence[int],
    seed: int,
    groups: Sequence[Hashable] | Int[np.ndarray, "N"] | None = None,
) -> tuple[Int[np.ndarray, "k"], ...]:
    """Return the row numbers of each part, sorted; every part has the same mix of classes, up to rounding.

    Rows of one group, for example copies of one sequence, always go to one part: a copy of a training example in
    the test set would be tested for memory.

    Args:
        labels: class of each row.
        sizes: rows of each part; they add up to the number of rows.
        seed: decides everything that is random.
        groups: one key per row, an array of numbers where there are many; rows with equal keys stay together. None puts
            each row alone.

    Raises:
        ConfigError: sizes that do not add up, or groups so large that no part has room for one.
    """
    labels = np.asarray(labels)
    if sum(sizes) != len(labels) or min(sizes, default=0) < 1:
        raise ConfigError(
            f"split: expected positive sizes that add up to {len(labels)} rows, got "
            f"{', '.join(map(str, sizes))} (sum {sum(sizes)}); correct the sizes"
        )
    group_of, firsts, weights = _groups(len(labels), groups)
    # A group counts for the class of its first row, so that each class divides exactly.
    kinds, class_of = np.unique(labels[firsts], return_inverse=True)
    totals = np.bincount(class_of, weights=weights, minlength=len(kinds)).astype(np.int64)
    room = _quotas(totals, np.array(sizes)).T.tolist()

    n = len(firsts)
    order = shuffled(n, seed, n)
    lottery = np.random.PCG64(np.random.SeedSequence((seed, 1))).random_raw(n)
    # Large groups first, while every part still has room; single rows then fill what is left exactly.
    order = order[np.argsort(-weights[order], kind="stable")]
    part_of = np.empty(n, np.int8 if len(sizes) < 128 else np.int64)
    for some in np.array_split(order, n // AT_ONCE + 1):
        draws, kinds_of = lottery[some].tolist(), class_of[some].tolist()
        for group, draw, kind, weight in zip(some.tolist(), draws, kinds_of, weights[some].tolist(), strict=True):
            left = [places if places >= weight else 0 for places in room[kind]]
            if not any(left):
                raise ConfigError(
                    f"split: expected groups that fit into the parts, but one of {weight} rows fits into "
                    "none; use larger parts or fewer copies"
                )
            part, at = 0, draw % sum(left)
            while at >= left[part]:
                at -= left[part]
                part += 1
            room[kind][part] -= weight
            part_of[group] = part
    of_rows = part_of[group_of]
    return tuple(np.flatnonzero(of_rows == part) for part in range(len(sizes)))


def _groups(
    n_rows: int, groups: Sequence[Hashable] | Int[np.ndarray, "N"] | None
) -> tuple[Int[np.ndarray, "N"], Int[np.ndarray, "g"], Int[np.ndarray, "g"]]:
    """The number of each row's group, in the order in which groups first come; their first rows; their rows."""
    if groups is None:
        alone = np.arange(n_rows)
        return alone, alone, np.ones(n_rows, np.int64)
    if len(groups) != n_rows:
        raise ConfigError(
            f"split: expected one group for each of {n_rows} rows, got {len(groups)}; give one key per row"
        )
    if not isinstance(groups, np.ndarray):
        numbers: dict[Hashable, int] = {}
        groups = np.array([numbers.setdefault(key, len(numbers)) for key in groups], np.int64)
    _, firsts, group_of, weights = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(firsts)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[group_of], firsts[order], weights[order]


def _quotas(totals: np.ndarray, sizes: np.ndarray) -> Int[np.ndarray, "parts classes"]:
    """Return whole numbers near `sizes x totals / N` with exactly these row and column sums."""
    exact = np.outer(sizes, totals) / totals.sum()
    quotas: np.ndarray = np.floor(exact + 1e-9).astype(np.int64)
    missing_rows, missing_columns = sizes - quotas.sum(axis=1), totals - quotas.sum(axis=0)
    # Largest remainders first; both margins stay exact because each step fills one row and one column.
    while missing_rows.any():
        open_cells = np.outer(missing_rows > 0, missing_columns > 0)
        part, kind = np.unravel_index(np.argmax(np.where(open_cells, exact - quotas, -np.inf)), quotas.shape)
        quotas[part, kind] += 1
        missing_rows[part] -= 1
        missing_columns[kind] -= 1
    return quotas
