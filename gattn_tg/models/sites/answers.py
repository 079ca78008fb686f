"""What a `SiteModel` says of sites, each asked among its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gattn_tg.data.sites.neighbours import SiteRows, Window
from gattn_tg.models.captured.forward import Forward
from gattn_tg.types import Bool, Float


class SiteAnswers:
    """Calling it with rows of sites gives the log odds of those that are wanted, each with neighbours on both sides.

    Args:
        forward: the network.
        both_strands: the mean over both strands.
        over: shares batches out over processes that all ask the same; see `score.in_turns.SharedRows`.

    Raises:
        DivergedError: an answer is not finite.
    """

    def __init__(
        self, forward: Forward, *, both_strands: bool,
        over: Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]] | None = None,
    ) -> None:  # fmt: skip
        self.forward, self.both_strands, self.over = forward, both_strands, over
        self._most = 0

    def __call__(self, rows: SiteRows, wanted: Bool[np.ndarray, "S"]) -> Float[np.ndarray, "S"]:
        """Log odds, nan at sites that are not wanted."""
        windows, size = rows.answering(wanted), self.forward.batch_size
        self._most = max(self._most, len(windows))
        # as many rows in every batch where processes share them, so that its bits do not depend on who computed it
        is_filled = self.over is not None and self._most >= size

        def one(first: int) -> np.ndarray:
            some = windows[first : first + size]
            return self._batch(rows, some, size if is_filled else len(some))

        firsts = range(0, len(windows), size)
        batches = self.over(one, firsts) if self.over else map(one, firsts)
        answers = np.full(len(rows), np.nan, np.float32)
        for first, found in zip(firsts, batches, strict=True):
            for window, values in zip(windows[first : first + size], found, strict=True):
                answers[window.low : window.high] = values[window.low - window.first : window.high - window.first]
        answers[~wanted] = np.nan
        return answers

    def _batch(self, rows: SiteRows, windows: list[Window], n_rows: int) -> Float[np.ndarray, "b s"]:
        """The answers of some windows in the order of the genome; the last one is asked again to fill a batch."""
        found = np.full((len(windows), rows.n_sites), np.nan, np.float32)
        asked = [*windows, *[windows[-1]] * (n_rows - len(windows))]
        for turned in (False, True)[: 1 + self.both_strands]:
            read = rows.batch(asked, np.full(n_rows, turned))
            z = self.forward.batch(*read.read)[: len(windows), :, 0]
            for row, n in enumerate(read.lengths[: len(windows)].tolist()):
                here = z[row, :n][::-1] if turned else z[row, :n]
                found[row, :n] = np.float32(0.5) * (found[row, :n] + here) if turned else here
        return found
