"""A training run on the terminal: one bar while it goes on, one line per pass."""

from __future__ import annotations

import shutil
import sys
import time

from gattn_tg.cli.output import tell
from gattn_tg.train.fit import N_COMPILING
from gattn_tg.train.watch import Epoch, Watcher

REDRAW_S = 0.1
CLEAR = "\r\033[K"


class Progress(Watcher):
    """Shows loss, speed and time left on stderr; without a terminal only the lines of the passes.

    Args:
        n_epochs: passes in all.
        quiet: show nothing.
    """

    def __init__(self, n_epochs: int, quiet: bool = False) -> None:
        self.n_epochs, self.quiet = n_epochs, quiet
        self.is_live = sys.stderr.isatty() and not quiet
        self.epoch, self.n_steps, self.first_step = 1, 0, 0
        self.loss = float("nan")
        self.n_seen, self.clock, self.drawn = 0, 0.0, 0.0

    def started(self, n_steps: int, n_sequences: int, n_parameters: int) -> None:
        self.n_steps = n_steps
        if self.quiet:
            return
        tell(f"{n_parameters:,} parameters, {n_sequences:,} sequences, {n_steps:,} steps")
        if self.is_live:
            sys.stderr.write(f"{CLEAR}compiling kernels ...")
            sys.stderr.flush()

    def stepped(self, step: int, loss: float, rate: float, n_sequences: int) -> None:
        # A mean over about 20 steps: single batches jump.
        self.loss = loss if self.loss != self.loss else self.loss + (loss - self.loss) / 20
        self.first_step = self.first_step or step
        now = time.perf_counter()
        if step - self.first_step < N_COMPILING:
            self.clock = now
            return
        self.n_seen += n_sequences
        if self.is_live and now - self.drawn > REDRAW_S:
            self.drawn = now
            sys.stderr.write(CLEAR + self.bar(step, now - self.clock))
            sys.stderr.flush()

    def bar(self, step: int, seconds: float) -> str:
        """The line while a run goes on, as wide as the terminal but at most 100 columns.

        Args:
            step: steps done.
            seconds: time since the kernels are compiled.
        """
        n_measured = step - self.first_step + 1 - N_COMPILING
        left = round((self.n_steps - step) * seconds / n_measured)
        hours, minutes = divmod(left // 60, 60)
        clock = f"{hours}:{minutes:02d}:{left % 60:02d}" if hours else f"{minutes}:{left % 60:02d}"
        head = f"epoch {self.epoch}/{self.n_epochs} "
        tail = f" {step / self.n_steps:4.0%}  loss {self.loss:.3f}  {self.n_seen / seconds:,.0f} seq/s  {clock} left"
        width = max(min(shutil.get_terminal_size().columns, 100) - 1 - len(head) - len(tail), 5)
        done = round(width * step / self.n_steps)
        return head + "━" * done + "╌" * (width - done) + tail

    def finished_epoch(self, epoch: Epoch) -> None:
        self.epoch = epoch.epoch + 1
        if self.quiet:
            return
        v = epoch.valid
        tell(
            f"{CLEAR if self.is_live else ''}epoch {epoch.epoch:>3}/{self.n_epochs}  loss {epoch.train_loss:.3f}  "
            f"valid loss {v.loss:.3f}  accuracy {v.accuracy:.3f}  AUC {v.auc:.3f}  MCC {v.mcc:+.3f}  "
            f"{epoch.sequences_per_s:,.0f} seq/s{'  best' if epoch.is_best else ''}"
        )

    def interrupted(self, step: int) -> None:
        if not self.quiet:
            tell(f"{CLEAR if self.is_live else ''}stopped after step {step}")
