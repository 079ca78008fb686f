"""A run before it is made: what it would learn from, how long it would take, how much memory it needs."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from tinygrad.helpers import Context

from gattn_tg.machine import lowered
from gattn_tg.machine.memory import peak_bytes
from gattn_tg.models.checkpoint import described
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.keep.folder import RunFolder, weights_of
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.start import take_over
from gattn_tg.training.loop.watch import N_COMPILING, Validated, Watcher
from gattn_tg.training.task import Counted, Device, Remarked, Testable
from gattn_tg.training.tasks.registry import task_of

ENOUGH_S = 5.0  # of steps that are timed,
LEAST, MOST = 3, 50  # but at least and at most so many
QUICK_S = 10.0  # a validation that took no longer is done once more, without compiling


@dataclass(frozen=True)
class Rehearsal:
    """What a run would be.

    Args:
        counts: set -> class, or what its rows are -> how many.
        n_parameters: learnable values.
        steps_per_epoch: steps of one pass.
        n_steps: steps of the run.
        n_timed: steps that were timed.
        read_s: seconds for reading data and making the model.
        first_s: seconds before steps have their speed: the first ones are compiled and captured.
        compiled_s: of them, seconds of compiling kernels, which are kept: a later run does not take them.
        step_s: mean seconds of a step; others on the machine count, as they will in the run.
        validation_s: seconds of a validation with the checkpoint behind it.
        n_validations: validations of the run.
        test_s: seconds of the test, from those of the validation by the number of rows; 0 without one.
        peak_bytes: the most main memory that the process held in all this; None where the system does not say.
        notes: what was read and chosen.
        warnings: what a user should think about.
    """

    counts: Mapping[str, Mapping[str, int]]
    n_parameters: int
    steps_per_epoch: int
    n_steps: int
    n_timed: int
    read_s: float
    first_s: float
    compiled_s: float
    step_s: float
    validation_s: float
    n_validations: int
    test_s: float
    peak_bytes: int | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def epoch_s(self) -> float:
        """Seconds of the steps of one pass."""
        return self.steps_per_epoch * self.step_s

    @property
    def run_s(self) -> float:
        """Seconds of the run from its first step to its test, with kernels that are compiled; `patience` may end it
        sooner."""
        began = self.first_s - self.compiled_s
        return began + self.n_steps * self.step_s + self.n_validations * self.validation_s + self.test_s

    def to_dict(self) -> dict[str, Any]:
        """All of it by name."""
        return {**vars(self), "epoch_s": self.epoch_s, "run_s": self.run_s}


def rehearse(
    config: TrainConfig, *, seed: int | None = None, device: Device = None, start: Path | None = None
) -> Rehearsal:
    """Reads the data, does some steps, one validation and one checkpoint as the run would, and forgets them.

    Args:
        config: what to train on what.
        seed: instead of the one in the file.
        device: where to train.
        start: an earlier checkpoint, or the folder of a run, to begin with.

    Raises:
        ConfigError, FormatError, DivergedError: as `training.run.train`.
    """
    began = time.perf_counter()
    if seed is not None:
        config = replace(config, train=replace(config.train, seed=seed))
    start = None if start is None else weights_of(start)
    config = config.beginning_with(None if start is None else described(start))
    task = task_of(config, device=device)
    started = take_over(task.model, start, task.vocabulary) if start else None
    read_s = time.perf_counter() - began
    settings = replace(config.train, checkpoint_every=0, checkpoint_minutes=0, tensorboard=False)
    with (
        tempfile.TemporaryDirectory(prefix="gattn-dry-run-") as aside,
        RunFolder(Path(aside) / "run", "new", 1) as home,
    ):
        clock = _Clock()
        fit = Fit(task, settings, home, clock, device)
        if started:
            fit.begin_with(started)
        n_steps, clock.fit = fit.n_steps, fit
        clock.began = clock.since = time.perf_counter()
        before = lowered.seconds()
        fit.run()
    compiled_s = lowered.seconds() - before
    validation_s = _validation_s(task, clock)
    every = settings.validate_every or task.steps_per_epoch
    counts = task.counts if isinstance(task, Counted) else {}
    test_s = 0.0
    if isinstance(task, Testable) and (n := sum(counts.get("test", {}).values())):
        test_s = validation_s * n / max(sum(counts.get("valid", {}).values()), 1)
    told = (task.notes, task.warnings) if isinstance(task, Remarked) else ((), ())
    return Rehearsal(
        counts=counts, n_parameters=task.model.n_parameters, steps_per_epoch=task.steps_per_epoch, n_steps=n_steps,
        n_timed=len(clock.steps), read_s=read_s, first_s=clock.first_s, compiled_s=min(compiled_s, clock.first_s),
        step_s=mean(clock.steps or [clock.first_s]), validation_s=validation_s,
        n_validations=math.ceil(n_steps / every), test_s=test_s, peak_bytes=peak_bytes(),
        notes=told[0], warnings=told[1],
    )  # fmt: skip


def _validation_s(task: Any, clock: _Clock) -> float:
    """Seconds of a validation that compiles nothing, and of the checkpoint behind it."""
    later = clock.validations[1:]
    if not later and clock.validations[0] <= QUICK_S:
        began = time.perf_counter()
        with Context(TRAINING=0):
            task.validate()
        later = [time.perf_counter() - began]
    return median(later or clock.validations) + median(clock.checkpoints or [0.0])


class _Clock(Watcher):
    """Times the steps of a run, and ends it when enough of them are timed."""

    fit: Fit

    def __init__(self) -> None:
        self.began = self.since = 0.0
        self.n, self.first_s = 0, 0.0
        self.steps: list[float] = []
        self.validations: list[float] = []
        self.checkpoints: list[float] = []

    def _lap(self) -> float:
        now = time.perf_counter()
        lap, self.since = now - self.since, now
        return lap

    def stepped(self, step: int, loss: float, rate: float, n_rows: int) -> None:
        lap = self._lap()
        self.n += 1
        if self.n <= N_COMPILING:
            self.first_s += lap
        else:
            self.steps.append(lap)
        is_enough = sum(self.steps) >= ENOUGH_S and len(self.steps) >= LEAST
        if is_enough or len(self.steps) >= MOST:
            self.fit.n_steps = step  # the loop asks after every step whether it is the last one

    def validated(self, record: Validated) -> None:
        self.validations.append(self._lap())

    def saved(self, folder: Path, step: int) -> None:
        self.checkpoints.append(self._lap())


