"""The training loop: steps, validation, best weights, checkpoints, Ctrl-C; the same for every task."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tinygrad import Tensor
from tinygrad.helpers import Context

from gattn_tg import strict
from gattn_tg.data import Prefetched
from gattn_tg.errors import ConfigError, DivergedError
from gattn_tg.models import checkpoint
from gattn_tg.models.captured.inputs import Feed
from gattn_tg.models.captured.room import require_room
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.keep.state import (
    Progress,
    holding,
    placed,
    read_state,
    require_parameters,
    restore,
    snapshot,
    write_state,
)
from gattn_tg.training.loop.communicator import Alone, Communicator
from gattn_tg.training.loop.fingerprint import fingerprint
from gattn_tg.training.loop.interrupt import Interrupt
from gattn_tg.training.loop.low_rank import Updates
from gattn_tg.training.loop.meter import Meter
from gattn_tg.training.loop.parameters import multiple
from gattn_tg.training.loop.parts import BLEND, at_their_best
from gattn_tg.training.loop.schedule import scheduled
from gattn_tg.training.loop.start import Start
from gattn_tg.training.loop.step import Step
from gattn_tg.training.loop.watch import Fitted, Plan, Trained, Validated, Watcher
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.task import Arrays, Device, Judge, Parted, Prepared, Task
from gattn_tg.types import Float


@dataclass
class Fit:
    """Trains the model of a task; `run()` does it.

    Args:
        task: What is trained on what.
        settings: The [train] table.
        folder: Where checkpoints and metrics go; None keeps nothing on disk. Only rank 0 writes.
        watcher: Told about every step and validation.
        device: Where the inputs go; None is tinygrad's default, a tuple shares the rows out over devices.
        communicator: The other processes; each calls `run` with the same arguments.
        rates: Learning rates in multiples of the others by name of the parameter; parameters with rate 0 are frozen.
        origin: Digest of weights that the model was given beforehand, "" without; a run is resumed only on the same.
    """

    task: Task
    settings: TrainSettings
    folder: RunFolder | None = None
    watcher: Watcher = field(default_factory=Watcher)
    device: Device = None
    communicator: Communicator = field(default_factory=Alone)
    rates: Mapping[str, float] = field(default_factory=dict)
    origin: str = ""

    def __post_init__(self) -> None:
        settings, monitors = self.settings, self.task.monitors
        self.monitor = settings.monitor or next(iter(monitors))
        strict.require_one_of(self.monitor, monitors, "train: [train] monitor")
        if isinstance(self.device, tuple) and settings.batch_size % (n := len(self.device)):
            rows = settings.batch_size
            raise ConfigError(
                f"train: [train] batch_size: expected a multiple of the {n} devices, got {rows}; "
                f"take {rows // n * n + n}"
            )
        self.is_first = self.communicator.rank == 0
        per_epoch = self.task.steps_per_epoch
        self.n_steps = settings.steps or max(settings.epochs, -(-settings.least_steps // per_epoch)) * per_epoch
        self.progress = Progress()
        self.updates = Updates()
        self.extra: dict[str, Any] = {}  # for every checkpoint beside the step

    def begin_with(self, start: Start) -> None:
        """Learns on from weights that the model was given, as fast as [train] says.

        Raises:
            ConfigError: `lora_rank` asks for updates of weights that were not taken over.
        """
        settings = self.settings
        self.origin = start.digest
        self.extra = dict(start.origin)
        self.rates = dict.fromkeys(start.loaded, settings.trunk_rate if not settings.lora_rank else 0.0)
        if settings.lora_rank:
            self.updates.begin(self.task.model, start.loaded, settings.lora_rank, settings.seed)
            self.rates |= dict.fromkeys(self.updates.state(), settings.trunk_rate)

    def run(self, *, resume: bool = False, from_checkpoint: str = "") -> Fitted:
        """Trains until the steps are done, patience ends or Ctrl-C.

        Args:
            resume: Go on from the newest whole checkpoint of the folder; begin where there is none.
            from_checkpoint: Go on from the checkpoint of this name instead.

        Raises:
            DivergedError: The loss or the gradient is not finite.
            ConfigError: The run to resume was made with other settings, model or data; a batch cannot fit into memory.
            FormatError: Checkpoints are there, but all are damaged.
        """
        settings, task = self.settings, self.task
        Tensor.manual_seed(settings.seed)
        self.parameters = placed(task.model, self.device)
        self.kept = {name: p for name, p in self.parameters.items() if name not in self.updates.state()}
        rates = {name: multiple(name, settings) * self.rates.get(name, 1.0) for name in self.parameters}
        learnt = {name: p for name, p in self.parameters.items() if rates[name] > 0}
        if not learnt:
            raise ConfigError("train: expected a weight to learn, but trunk_rate = 0 freezes all; raise trunk_rate")
        step = Step(task.loss, learnt, settings, communicator=self.communicator, rates=self.rates)
        self.progress = Progress(
            fingerprint=fingerprint(
                task, settings, monitor=self.monitor, n_ranks=self.communicator.n_ranks, rates=self.rates,
                origin=self.origin,
            )
        )  # fmt: skip
        self.communicator.require_equal("configuration and data", self.progress.fingerprint)
        self.best = self._resumed(step, from_checkpoint) if resume or from_checkpoint else None
        self.start = time.perf_counter() - self.progress.seconds
        self.validations: list[Validated] = []
        self.saved_at, self.interrupted = time.perf_counter(), False
        self.line_meter, self.pass_meter = Meter(), Meter()
        rows = settings.batch_size * settings.accumulate * self.communicator.n_ranks
        self.watcher.started(
            Plan(
                first_step=self.progress.step,
                n_steps=self.n_steps,
                steps_per_epoch=task.steps_per_epoch,
                rows_per_step=rows,
                n_parameters=task.model.n_parameters,
                monitor=self.monitor,
                higher_is_better=task.monitors[self.monitor],
            )
        )
        if self.folder and self.is_first and settings.tensorboard:
            self.folder.journal.also_events(self.folder.path / "events", self.progress.step)
        if self.progress.step < self.n_steps and not self.patience_is_over():
            self._loop(step, rows)
        if self.folder:
            self.folder.journal.close()
        self.updates.finish()
        if self.best is not None and not self.interrupted:
            restore(self.kept, self.best)
        progress = self.progress
        return Fitted(
            tuple(self.validations), progress.best_step, self.interrupted, progress.step, task.steps_per_epoch,
            progress.seconds,
        )  # fmt: skip

    def patience_is_over(self) -> bool:
        """True when the monitored metric has not improved for as many validations as patience allows."""
        progress, settings = self.progress, self.settings
        waited = progress.n_validations - progress.best_validation
        is_long = progress.step >= settings.least_steps
        return 0 < settings.patience <= waited and is_long and progress.best is not None

    def _loop(self, step: Step, rows: int) -> None:
        settings, progress, first = self.settings, self.progress, self.progress.step
        every = settings.validate_every or self.task.steps_per_epoch
        if isinstance(self.task, Prepared):
            self.task.prepare()
        feed, source = Feed(self.device), Prefetched(self._batches())
        waited, since = 0.0, time.perf_counter()
        with Interrupt() as interrupt, closing(iter(source)) as batches, Context(TRAINING=1):
            for micros in batches:
                if progress.step == first:
                    shape = next(iter(micros[0].values())).shape
                    require_room(self.task.model.config, shape, self.device, is_training=True,
                                 recomputes=settings.recompute)
                rate = scheduled(settings, progress.step, self.n_steps)
                loss, norm = step([feed(arrays, slot) for slot, arrays in enumerate(micros)], rate)
                self._count(loss, norm)
                self.watcher.stepped(progress.step, loss, rate, rows)
                done = progress.step == self.n_steps
                if progress.step % settings.log_every == 0 or done:
                    now = time.perf_counter()
                    self._log(norm, rate, rows, micros[0], (source.waited_s - waited) / (now - since))
                    waited, since = source.waited_s, now
                validated = progress.step % every == 0 or done
                if validated:
                    self._validate(step, rate, rows)
                self.interrupted = self.communicator.any(interrupt.requested) and not done
                stop = done or self.interrupted or (validated and self.patience_is_over())
                saved = stop or self._is_checkpoint_due(validated)
                if saved:
                    self._save(step)
                if validated or saved:
                    self.line_meter.went_on()
                    self.pass_meter.went_on()
                if stop:
                    break
        if self.interrupted:
            self.watcher.interrupted(progress.step)

    def _batches(self) -> Iterator[list[Arrays]]:
        """The micro-batches of every step that is left; made in a thread of its own."""
        rank, n_ranks = self.communicator.rank, self.communicator.n_ranks
        for step in range(self.progress.step, self.n_steps):
            yield [self.task.batch(step, micro, rank, n_ranks) for micro in range(self.settings.accumulate)]

    def _count(self, loss: float, norm: float) -> None:
        settings, progress = self.settings, self.progress
        progress.count(loss)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise DivergedError(
                f"train: expected a finite loss, but step {progress.step} gave loss {loss} with gradient norm "
                f"{norm}; lower learning_rate (now {settings.learning_rate:g}), lengthen warmup_steps (now "
                f"{settings.warmup_steps}) or set clip_norm (now {settings.clip_norm:g})"
            )
        progress.seconds = time.perf_counter() - self.start
        self.line_meter.stepped()
        self.pass_meter.stepped()

    def _log(self, norm: float, rate: float, rows: int, arrays: Arrays, waited: float) -> None:
        progress, speed = self.progress, self.line_meter.take()
        n_positions = math.prod(next(iter(arrays.values())).shape[1:])
        record = Trained(
            step=progress.step,
            epoch=progress.step / self.task.steps_per_epoch,
            loss=progress.take_line(),
            learning_rate=rate,
            gradient_norm=norm,
            examples_per_s=speed and speed * rows,
            positions_per_s=speed and speed * rows * n_positions,
            waited=waited,
            seconds=progress.seconds,
        )
        self._note(record)
        self.watcher.trained(record)

    def _validate(self, step: Step, rate: float, rows: int) -> None:
        progress, speed = self.progress, self.pass_meter.take()
        with holding(self.parameters, step.averaged()), self.updates.merged(), Context(TRAINING=0):
            judge = self.task.judge if isinstance(self.task, Parted) else None
            metrics, is_best = self._judged_apart(judge) if judge else self._judged()
        progress.seconds = time.perf_counter() - self.start
        record = Validated(
            step=progress.step,
            epoch=progress.step / self.task.steps_per_epoch,
            train_loss=progress.take_losses(),
            learning_rate=rate,
            metrics=metrics,
            is_best=is_best,
            examples_per_s=speed and speed * rows,
            seconds=progress.seconds,
        )
        self.validations.append(record)
        self._note(record)
        self.watcher.validated(record)

    def _judged(self) -> tuple[dict[str, float], bool]:
        """Metrics of the weights as they are, and whether these are the best so far, which are kept."""
        metrics = self._measured(self.task.validate)
        value = [_value(metrics, self.monitor, self.task.monitors[self.monitor]), _value(metrics, "loss", False)]
        is_best = self.progress.judge(value)
        if is_best:
            self.best = snapshot(self.kept)
            self._write_best()
        return metrics, is_best

    def _judged_apart(self, judge: Judge) -> tuple[dict[str, float], bool]:
        """The same of parts that learn apart: metrics of each with its best weights, and whether one is better now."""
        alone = self._measured(lambda: judge.values(self.monitor))
        is_better = self.progress.judge_each(
            [_value(alone, part, self.task.monitors[self.monitor]) for part in judge.parts])
        better = [part for part, is_best in zip(judge.parts, is_better, strict=True) if is_best]
        with at_their_best(self.kept, self.best, better) as self.best:
            metrics = self._measured(lambda: judge.choose(better))
            self.best[BLEND] = np.array([metrics[f"{part}_weight"] for part in judge.parts], np.float32)
            if better:
                self._write_best()
        return {**metrics, **{f"{part}_{self.monitor}": alone[part] for part in judge.parts}}, bool(better)

    def _measured(self, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """What rank 0 measures, on every rank."""
        return self.communicator.from_first(measure() if self.is_first else None) or {}

    def _write_best(self) -> None:
        if self.folder and self.is_first:
            self.folder.write_best(self._write_model)

    def _note(self, record: Trained | Validated) -> None:
        if self.folder and self.is_first:
            self.folder.journal.note(record.to_dict())

    def _is_checkpoint_due(self, validated: bool) -> bool:
        settings = self.settings
        if settings.checkpoint_minutes:
            old = time.perf_counter() - self.saved_at > 60 * settings.checkpoint_minutes
            if self.communicator.any(old):
                return True
        every = settings.checkpoint_every
        return self.progress.step % every == 0 if every else validated

    def _save(self, step: Step) -> None:
        if self.folder is None:
            return
        # on every rank: shared-out moments are gathered here
        state = {**step.state(), **self.updates.state()}
        self.saved_at = time.perf_counter()
        if not self.is_first:
            return

        def fill(folder: Path) -> None:
            write_state(folder, self.progress, state)
            with self.updates.merged():
                self._write_model(folder)

        self.progress.seconds = time.perf_counter() - self.start
        self.folder.journal.sync()
        written = self.folder.checkpoints.write(self.progress.step, fill)
        self.watcher.saved(written, self.progress.step)

    def _write_model(self, folder: Path) -> None:
        checkpoint.write(self.task.model, folder, readout=self.task.readout, vocabulary=self.task.vocabulary,
                         extra={**self.extra, "step": self.progress.step})

    def _resumed(self, step: Step, name: str) -> dict[str, Float[np.ndarray, "..."]] | None:
        """Takes weights, moments and position of a checkpoint; gives the best weights so far."""
        if self.folder is None:
            raise ConfigError("train: expected a run folder to resume, got none; name one")
        checkpoints = self.folder.checkpoints
        found = checkpoints.named(name) if name else checkpoints.newest(self.watcher.damaged)
        if found is None:
            self._forget_after(0)
            return None
        progress, kept = read_state(found)
        if progress.fingerprint != self.progress.fingerprint:
            raise ConfigError(
                f"{self.folder.path}: expected the settings, model, data and number of processes of the run to "
                "resume it, but they changed; restore them, or overwrite the run to start again"
            )
        self.progress = progress
        self._forget_after(progress.step)
        weights = checkpoint.read(found)[1]
        require_parameters(self.kept, weights, str(found))
        merged = self.updates.weights()  # in the checkpoint with their updates; here they are as they were taken over
        restore({name: p for name, p in self.kept.items() if name not in merged}, weights)
        self.updates.restore(kept, str(found))
        step.restore(kept)
        if progress.best is None:
            return None
        best = checkpoint.read(self.folder.best)[1]
        require_parameters(self.kept, best, str(self.folder.best))
        return best

    def _forget_after(self, step: int) -> None:
        """Drops lines of metrics.jsonl that come again, and tells of those that no run wrote."""
        if self.folder and self.is_first and (n := self.folder.journal.forget_after(step)):
            self.watcher.damaged(f"{self.folder.journal.path}: {n} lines are not what a run writes; they are left out")


def _value(metrics: Mapping[str, float], name: str, higher_is_better: bool) -> float:
    """A metric so that higher is better; one that is missing or not defined counts as the worst."""
    value = metrics.get(name, math.nan)
    return -math.inf if math.isnan(value) else value if higher_is_better else -value
