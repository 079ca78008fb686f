"""The loop over epochs: steps, validation, best and last checkpoints, Ctrl-C."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field

import numpy as np
from tinygrad import Tensor
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict

from gattn_tg.data import LabelledSequences, batches
from gattn_tg.data.augment import flip_strands
from gattn_tg.data.metrics import Metrics, measure
from gattn_tg.errors import ConfigError, DivergedError
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.forward import Forward
from gattn_tg.models.inputs import to_tensors
from gattn_tg.motif import MotifVocabulary
from gattn_tg.train.config import TrainSettings
from gattn_tg.train.folder import RunFolder
from gattn_tg.train.interrupt import Interrupt
from gattn_tg.train.schedule import learning_rate
from gattn_tg.train.state import Progress, load_state, restore, save_state, snapshot
from gattn_tg.train.step import Step
from gattn_tg.train.watch import Epoch, Watcher
from gattn_tg.types import Float

N_COMPILING = 2  # steps of a process that tell nothing of its speed: the first compiles, the second is captured


@dataclass(frozen=True)
class Fitted:
    """What a run leaves; the model holds the weights of the best epoch.

    Args:
        epochs: One record per finished pass of this process.
        best_epoch: 1-based pass whose weights the model holds; 0 when the run was stopped before the first validation.
        interrupted: Ctrl-C ended the run; `last/` can be resumed.
        step: Steps done.
        seconds: Duration, earlier processes of the run included.
        forward: The captured network, for predicting more data without compiling again.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    interrupted: bool
    step: int
    seconds: float
    forward: Forward


@dataclass
class Fit:
    """Trains a model; `run()` does it.

    Args:
        model: Changed in place.
        train: Training set.
        valid: The set by which the best epoch is chosen.
        settings: The [train] table.
        vocabulary: Motif classes of the data, kept in the checkpoints.
        folder: Where checkpoints and metrics go; None keeps nothing on disk.
        watcher: Told about every step and pass.
        device: Where the inputs go; None is tinygrad's default.
    """

    model: SequenceClassifier
    train: LabelledSequences
    valid: LabelledSequences
    settings: TrainSettings
    vocabulary: MotifVocabulary
    folder: RunFolder | None = None
    watcher: Watcher = field(default_factory=Watcher)
    device: str | None = None

    def run(self, *, resume: bool = False) -> Fitted:
        """Trains until the epochs are done, patience ends or Ctrl-C.

        Args:
            resume: Go on from the folder's `last/`.

        Raises:
            DivergedError: The loss or the gradient is not finite.
            ConfigError: The run to resume was made with other settings, model or data.
        """
        Tensor.manual_seed(self.settings.seed)
        self.parameters = get_state_dict(self.model)
        step = Step(self.model, self.parameters, self.settings)
        forward = Forward(self.model, self.settings.batch_size, self.device)
        self.progress, self.is_compiled = Progress(fingerprint=self._fingerprint()), False
        best = self._resume(step) if resume else None
        start = time.perf_counter() - self.progress.seconds
        self.batches_per_epoch = math.ceil(len(self.train) / self.settings.batch_size)
        self.n_steps = self.settings.epochs * self.batches_per_epoch
        self.watcher.started(self.n_steps, len(self.train), self.model.n_parameters)
        records: list[Epoch] = []
        interrupted = False
        with Interrupt() as interrupt:
            while self.progress.epoch < self.settings.epochs and not self.patience_is_over():
                loss, speed = self._one_epoch(step, interrupt)
                self.progress.seconds = time.perf_counter() - start
                if interrupt.requested:
                    interrupted = True
                    break
                record = self._validate(forward, loss, speed)
                records.append(record)
                if record.is_best:
                    best = snapshot(self.parameters)
                    self._save("best")
                self.progress.seconds = time.perf_counter() - start
                self._save("last", step)
                if self.folder:
                    self.folder.note(record.to_dict())
                self.watcher.finished_epoch(record)
            if interrupted:
                self._save("last", step)
                self.watcher.interrupted(self.progress.step)
        if best is not None:
            restore(self.parameters, best)
        return Fitted(
            tuple(records), self.progress.best_epoch, interrupted, self.progress.step, self.progress.seconds, forward
        )

    def _one_epoch(self, step: Step, interrupt: Interrupt) -> tuple[float, float]:
        """Steps until the pass ends or Ctrl-C; gives the mean loss and the sequences per second."""
        settings, progress = self.settings, self.progress
        data, epoch = self.train, progress.epoch
        if settings.reverse_complement:
            data = flip_strands(data, self.vocabulary.complement, seed=settings.seed, epoch=epoch)
        n_seen, start, first = 0, time.perf_counter(), progress.step
        with Context(TRAINING=1):
            for b, batch in enumerate(batches(data, settings.batch_size, seed=settings.seed, epoch=epoch)):
                if b < progress.batch:
                    continue
                rate = self._rate(progress.step)
                loss, norm = step(to_tensors(batch, self.device), rate)
                progress.step += 1
                progress.batch += 1
                if not self.is_compiled and progress.step - first == N_COMPILING:
                    self.is_compiled, n_seen, start = True, 0, time.perf_counter()
                if not (math.isfinite(loss) and math.isfinite(norm)):
                    raise DivergedError(
                        f"train: a finite loss is required, but step {progress.step} gave loss {loss} with "
                        f"gradient norm {norm}; lower learning_rate (now {settings.learning_rate:g}), lengthen "
                        f"warmup_steps (now {settings.warmup_steps}) or set clip_norm (now {settings.clip_norm:g})"
                    )
                progress.loss_sum += loss
                n_valid = int(batch.valid.sum())
                n_seen += n_valid
                self.watcher.stepped(progress.step, loss, rate, n_valid)
                if interrupt.requested:
                    break
        return progress.loss_sum / max(progress.batch, 1), n_seen / (time.perf_counter() - start)

    def _validate(self, forward: Forward, loss: float, speed: float) -> Epoch:
        progress = self.progress
        metrics = measure(_labels(self.valid), forward(self.valid))
        value = [_value(metrics, self.settings.monitor), -metrics.loss]  # the loss decides between equals
        is_best = progress.best is None or value > progress.best
        progress.epoch += 1
        progress.batch, progress.loss_sum = 0, 0.0
        if is_best:
            progress.best, progress.best_epoch = value, progress.epoch
        return Epoch(
            epoch=progress.epoch,
            step=progress.step,
            train_loss=loss,
            learning_rate=self._rate(progress.step - 1),
            valid=metrics,
            is_best=is_best,
            seconds=progress.seconds,
            sequences_per_s=speed,
        )

    def _rate(self, step: int) -> float:
        settings = self.settings
        return learning_rate(
            step,
            self.n_steps,
            peak=settings.learning_rate,
            floor=settings.min_learning_rate,
            warmup_steps=settings.warmup_steps,
        )

    def patience_is_over(self) -> bool:
        """True when the monitored metric has not improved for as many passes as patience allows."""
        waited = self.progress.epoch - self.progress.best_epoch
        return 0 < self.settings.patience <= waited and self.progress.best is not None

    def _save(self, name: str, step: Step | None = None) -> None:
        if self.folder is None:
            return
        folder = self.folder.best if name == "best" else self.folder.last
        extra = {"epoch": self.progress.epoch, "step": self.progress.step}
        checkpoint.save(self.model, folder, labels=self.train.label_names, vocabulary=self.vocabulary, extra=extra)
        if step is not None:
            save_state(folder, self.progress, step.state())

    def _resume(self, step: Step) -> dict[str, Float[np.ndarray, "..."]] | None:
        """Weights, moments and position of `last/`; gives the weights of `best/`."""
        if self.folder is None:
            raise ConfigError("train: a run folder is required to resume, but there is none; name one")
        progress, moments = load_state(self.folder.last)
        if progress.fingerprint != self.progress.fingerprint:
            raise ConfigError(
                f"{self.folder.path}: the settings, model and data of the run are required to resume it, but they "
                "changed; restore them, or start again with --overwrite"
            )
        self.progress = progress
        self.folder.forget_after(progress.epoch)
        restore(self.parameters, snapshot(get_state_dict(checkpoint.load(self.folder.last).model)))
        restore(step.state(), moments)
        if progress.best is None:
            return None
        return snapshot(get_state_dict(checkpoint.load(self.folder.best).model))

    def _fingerprint(self) -> str:
        content = hashlib.sha256()
        for part in (self.settings, self.model.config, self.vocabulary.to_toml()):
            content.update(repr(part).encode())
        for dataset in (self.train, self.valid):
            content.update(dataset.bases.tobytes() + _labels(dataset).tobytes())
        return content.hexdigest()[:16]


def _labels(dataset: LabelledSequences) -> np.ndarray:
    if dataset.labels is None:
        raise ConfigError("train: labelled sequences are required, but the dataset has no labels; add a label column")
    return dataset.labels


def _value(metrics: Metrics, monitor: str) -> float:
    """The monitored metric so that higher is better; an AUC that does not exist counts as chance."""
    value = -metrics.loss if monitor == "loss" else float(getattr(metrics, monitor))
    return 0.5 if math.isnan(value) else value
