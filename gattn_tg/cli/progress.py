"""A training run on the terminal: one bar while it goes on, one line per pass."""

from __future__ import annotations

import sys

from tinygrad.helpers import tqdm

from gattn_tg.cli.output import tell
from gattn_tg.train.watch import Epoch, Watcher


class Progress(Watcher):
    """Shows loss, time left and speed on stderr; without a terminal only the lines of the passes.

    Args:
        title: put before every line, for several runs after one another.
        n_epochs: passes in all.
        quiet: show nothing.
    """

    def __init__(self, n_epochs: int, title: str = "", quiet: bool = False) -> None:
        self.title, self.n_epochs, self.quiet = f"{title}  " if title else "", n_epochs, quiet
        self.bar: tqdm | None = None
        self.epoch, self.n_steps, self.loss = 1, 0, float("nan")

    def started(self, n_steps: int, n_sequences: int, n_parameters: int) -> None:
        if self.quiet:
            return
        tell(f"{self.title}{n_parameters:,} parameters, {n_sequences:,} sequences, {n_steps:,} steps")
        if sys.stderr.isatty():
            total = n_sequences * self.n_epochs
            self.bar = tqdm(total=total, desc=f"{self.title}compiling kernels", unit=" seq", disable=False)

    def stepped(self, step: int, loss: float, rate: float, n_sequences: int) -> None:
        # A mean over about 20 steps: single batches jump.
        self.loss = loss if self.loss != self.loss else self.loss + (loss - self.loss) / 20
        if self.bar is not None:
            self.bar.set_description(f"{self.title}epoch {self.epoch}/{self.n_epochs}  loss {self.loss:.3f}")
            self.bar.update(n_sequences)

    def finished_epoch(self, epoch: Epoch) -> None:
        self.epoch = epoch.epoch + 1
        if self.quiet:
            return
        v = epoch.valid
        line = (
            f"{self.title}epoch {epoch.epoch:>3}/{self.n_epochs}  loss {epoch.train_loss:.3f}  "
            f"valid loss {v.loss:.3f}  accuracy {v.accuracy:.3f}  AUC {v.auc:.3f}  "
            f"MCC {v.mcc:+.3f}  {epoch.sequences_per_s:,.0f} seq/s"
            f"{'  best' if epoch.is_best else ''}"
        )
        if self.bar is not None:
            tqdm.write(line)
        else:
            tell(line)

    def interrupted(self, step: int) -> None:
        if not self.quiet:
            self.close()
            tell(f"{self.title}stopped after step {step}")

    def close(self) -> None:
        """Ends the bar with a line end."""
        if self.bar is not None:
            self.bar.update(close=True)
            self.bar = None
