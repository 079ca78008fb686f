"""Speed of training: compiling, validation and checkpoints are left out."""

from __future__ import annotations

import time

from gattn_tg.training.loop.watch import N_COMPILING


class Meter:
    """Counts steps and the seconds they took.

    Args:
        n_skipped: Steps at the beginning that are not counted.
    """

    def __init__(self, n_skipped: int = N_COMPILING) -> None:
        self.n_skipped, self.n_steps, self.seconds = n_skipped, 0, 0.0
        self._since = time.perf_counter()

    def stepped(self) -> None:
        """Counts one step: the time since the one before, or since `went_on`."""
        now = time.perf_counter()
        if self.n_skipped:
            self.n_skipped -= 1
        else:
            self.n_steps += 1
            self.seconds += now - self._since
        self._since = now

    def went_on(self) -> None:
        """Forgets the time since the last step: something else was done in it."""
        self._since = time.perf_counter()

    def take(self) -> float | None:
        """Steps per second since it was asked last; None without a step."""
        speed = self.n_steps / self.seconds if self.n_steps else None
        self.n_steps, self.seconds = 0, 0.0
        return speed
