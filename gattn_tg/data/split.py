"""Dividing a dataset into parts that do not leak into each other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from gattn_tg.data.order import shuffled
from gattn_tg.errors import ConfigError
from gattn_tg.types import Int


def split(
    labels: Int[np.ndarray, "N"],
    sizes: Sequence[int],
    seed: int,
    groups: Sequence[Hashable] | None = None,
) -> tuple[Int[np.ndarray, "k"], ...]:
    """Return the row numbers of each part, sorted; every part has the same mix of classes, up to rounding.

    Rows of one group, for example copies of one sequence, always go to one part: a copy of a training example in
    the test set would be tested for memory.

    Args:
        labels: class of each row.
        sizes: rows of each part; they add up to the number of rows.
        seed: decides everything that is random.
        groups: one key per row; rows with equal keys stay together. None puts each row alone.

    Raises:
        ConfigError: sizes that do not add up, or groups so large that no part has room for one.
    """
    labels = np.asarray(labels)
    if sum(sizes) != len(labels) or min(sizes, default=0) < 1:
        raise ConfigError(
            f"split: expected positive sizes that add up to {len(labels)} rows, got "
            f"{', '.join(map(str, sizes))} (sum {sum(sizes)}); correct the sizes"
        )
    members = _members(len(labels), groups)
    # A group counts for the class of its first row, so that each class divides exactly.
    classes = np.array([labels[rows[0]] for rows in members])
    kinds, class_of = np.unique(classes, return_inverse=True)
    weights = np.array([len(rows) for rows in members])
    totals = np.bincount(class_of, weights=weights, minlength=len(kinds)).astype(np.int64)
    room = _quotas(totals, np.array(sizes))

    order = shuffled(len(members), seed, len(members))
    lottery = np.random.PCG64(np.random.SeedSequence((seed, 1))).random_raw(len(members))
    part_of = np.full(len(labels), -1)
    # Large groups first, while every part still has room; single rows then fill what is left exactly.
    for group in sorted(order.tolist(), key=lambda group: -weights[group]):
        left = np.where(room[:, class_of[group]] >= weights[group], room[:, class_of[group]], 0)
        if not left.any():
            raise ConfigError(
                f"split: expected groups that fit into the parts, but one of {weights[group]} rows fits into "
                "none; use larger parts or fewer copies"
            )
        part = int(np.searchsorted(np.cumsum(left), int(lottery[group]) % int(left.sum()), side="right"))
        room[part, class_of[group]] -= weights[group]
        part_of[members[group]] = part
    return tuple(np.flatnonzero(part_of == part) for part in range(len(sizes)))


def _members(n_rows: int, groups: Sequence[Hashable] | None) -> list[list[int]]:
    if groups is None:
        return [[row] for row in range(n_rows)]
    if len(groups) != n_rows:
        raise ConfigError(
            f"split: expected one group for each of {n_rows} rows, got {len(groups)}; give one key per row"
        )
    found: dict[Hashable, list[int]] = {}
    for row, key in enumerate(groups):
        found.setdefault(key, []).append(row)
    return list(found.values())


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
