"""A training run on the terminal or in a notebook: one bar while it goes on, one line per validation, on stderr."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence

from gattn_tg.escaping import CLEAR, tell
from gattn_tg.training.loop.motif_rows import Classes
from gattn_tg.training.loop.start import Start
from gattn_tg.training.loop.watch import N_COMPILING, Plan, Validated, Watcher

REDRAW_S = 0.1
SMOOTHED = 20  # steps that the shown loss is a mean over: single batches jump
SHORT = {"auc": "AUC", "mcc": "MCC"}
N_SHOWN = 5  # metrics of a validation on one line


class Progress(Watcher):
    """Shows loss, speed and time left on stderr; without a terminal only the lines of the validations.

    Args:
        quiet: show nothing but warnings and damaged files.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.is_live = sys.stderr.isatty() and not quiet
        self.plan = Plan(0, 0, 1, 0, 0, "", True)
        self.n_seen_steps, self.loss = 0, float("nan")
        self.clock, self.drawn, self.n_rows = 0.0, 0.0, 0

    def took_over(self, start: Start) -> None:
        groups = (("begin anew", start.new), ("of another shape or meaning, begin anew", start.other_shape))
        others = "".join(f"; {words}: {_parts(names)}" for words, names in groups if names)
        unused = f"; not used: {_parts(start.unused)}" if start.unused else ""
        partly = f"; in part: {_parts(start.partly)}" if start.partly else ""
        self._line(f"from the {start.kind}: {_parts(start.loaded)}{partly}{others}{unused}")
        if (classes := start.classes) and (told := _classes(classes)):
            self._line(f"motif classes are matched by name; {told}")

    def noted(self, text: str) -> None:
        self._line(text)

    def warned(self, text: str) -> None:
        tell(f"warning: {text}")  # also when quiet: the numbers that come out would say too much

    def started(self, plan: Plan) -> None:
        self.plan = plan
        if self.quiet:
            return
        resumed = f", resumed after step {plan.first_step:,}" if plan.first_step else ""
        tell(f"{plan.n_parameters:,} parameters, {plan.n_steps:,} steps of {plan.rows_per_step:,} examples{resumed}")
        if self.is_live:
            sys.stderr.write(f"{CLEAR}compiling kernels ...")
            sys.stderr.flush()

    def stepped(self, step: int, loss: float, rate: float, n_rows: int) -> None:
        self.loss = loss if self.loss != self.loss else self.loss + (loss - self.loss) / SMOOTHED
        self.n_seen_steps += 1
        now = time.perf_counter()
        if self.n_seen_steps <= N_COMPILING:
            self.clock = now
            return
        self.n_rows += n_rows
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
        plan, n_measured = self.plan, self.n_seen_steps - N_COMPILING
        left = round((plan.n_steps - step) * seconds / n_measured)
        hours, minutes = divmod(left // 60, 60)
        clock = f"{hours}:{minutes:02d}:{left % 60:02d}" if hours else f"{minutes}:{left % 60:02d}"
        n_epochs = plan.n_steps / plan.steps_per_epoch
        epoch = min(int((step - 1) / plan.steps_per_epoch) + 1, max(round(n_epochs), 1))
        head = f"epoch {epoch}/{round(n_epochs)} " if n_epochs >= 1 else f"step {step}/{plan.n_steps} "
        tail = f" {step / plan.n_steps:4.0%}  loss {self.loss:.3f}  {self.n_rows / seconds:,.0f} seq/s  {clock} left"
        width = max(min(shutil.get_terminal_size().columns, 100) - 1 - len(head) - len(tail), 5)
        done = round(width * step / plan.n_steps)
        return head + "━" * done + "╌" * (width - done) + tail

    def validated(self, record: Validated) -> None:
        if self.quiet:
            return
        speed = f"  {record.examples_per_s:,.0f} seq/s" if record.examples_per_s else ""
        self._line(
            f"{self._place(record)}  loss {record.train_loss:.3f}  valid {self._metrics(record)}{speed}"
            f"{'  best' if record.is_best else ''}"
        )

    def damaged(self, message: str) -> None:
        tell(message, instead=CLEAR * self.is_live)  # also when quiet: a disk that loses bytes is worth a line

    def interrupted(self, step: int) -> None:
        self._line(f"stopped after step {step}")

    def _line(self, text: str) -> None:
        if not self.quiet:
            tell(text, instead=CLEAR * self.is_live)

    def _place(self, record: Validated) -> str:
        plan = self.plan
        if plan.n_steps % plan.steps_per_epoch == 0 and record.step % plan.steps_per_epoch == 0:
            return f"epoch {record.step // plan.steps_per_epoch:>3}/{plan.n_steps // plan.steps_per_epoch}"
        return f"step {record.step:>{len(str(plan.n_steps))}}/{plan.n_steps}"

    def _metrics(self, record: Validated) -> str:
        """Loss and the monitored metric first, then others as far as a line goes; counts are left out."""
        metrics = record.metrics
        names = [n for n in dict.fromkeys(["loss", self.plan.monitor, *metrics]) if n in metrics and n != "n"]
        return "  ".join(f"{SHORT.get(n, n)} {metrics[n]:.3f}" for n in names[:N_SHOWN])


def _classes(classes: Classes) -> str:
    """What became of the motif classes of a checkpoint that are not those of the model."""
    groups = (
        ("not taken over", classes.dropped), ("begin anew", classes.new),
        ("taken over, but found by another rule now", classes.changed),
    )  # fmt: skip
    return "; ".join(f"{words}: {', '.join(names)}" for words, names in groups if names)


def _parts(names: Sequence[str]) -> str:
    """The parts of a model that parameters belong to, with their number: `blocks (24), norm (2)`."""
    counts = Counter(name.split(".")[0] for name in names)
    return ", ".join(f"{part} ({n})" for part, n in counts.items())
