"""Telling classes of sequences apart: a SequenceClassifier on a labelled table."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from tinygrad import Tensor

from gattn_tg.data import LabelledSequences
from gattn_tg.data.augment import flip_strands
from gattn_tg.data.order import shuffled
from gattn_tg.errors import ConfigError
from gattn_tg.metrics.classes import measure
from gattn_tg.models.config import ClassifierConfig, TrunkConfig
from gattn_tg.models.forward import class_probabilities
from gattn_tg.models.inputs import Inputs
from gattn_tg.models.kinds import kind_of
from gattn_tg.models.readouts import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.ops.cross_entropy import cross_entropy
from gattn_tg.training.config import TrainConfig, TrainSettings
from gattn_tg.training.task import Arrays, Device
from gattn_tg.training.tasks import labelled as datasets
from gattn_tg.types import Float, Int

MONITORS = {"auc": True, "accuracy": True, "mcc": True, "loss": False}


class Classify:
    """The task of a model of classes; every sequence is seen once per pass.

    Args:
        model: Changed in place.
        train: Training set.
        valid: The set by which the best weights are chosen.
        vocabulary: Motif classes of the data, kept in the checkpoints.
        settings: The [train] table: batch_size, accumulate, reverse_complement, label_smoothing and seed count here.
        held_out: Looked at once at the end; None for no test.
        device: Where the inputs of `validate` go.
        n_ranks: Processes that train together.

    Attributes:
        notes: What was read and chosen, for the user.
        warnings: What the user should think about.
        forward: The captured network, for predicting more data without compiling again.
        readout: Names of the classes.
    """

    data_table: ClassVar[type] = datasets.DataSettings
    derived: ClassVar[tuple[str, ...]] = ("n_classes", "max_length", "merge_strands")
    judged_by: ClassVar[Mapping[str, bool]] = MONITORS

    def __init__(
        self,
        model: Any,
        train: LabelledSequences,
        valid: LabelledSequences,
        vocabulary: MotifVocabulary,
        settings: TrainSettings,
        *,
        held_out: LabelledSequences | None = None,
        device: Device = None,
        n_ranks: int = 1,
    ) -> None:
        self.model, self.vocabulary, self.settings = model, vocabulary, settings
        self.train, self.valid, self.held_out = train, valid, held_out
        self.monitors: Mapping[str, bool] = MONITORS
        self.notes: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.batch_size = self._capped(n_ranks, len(device) if isinstance(device, tuple) else 1)
        self.steps_per_epoch = self._steps_per_epoch(n_ranks)
        self.forward = class_probabilities(model, self.batch_size, device)
        self.readout = ClassReadout(labels=train.label_names)
        self._pass = lru_cache(maxsize=2)(self._make_pass)
        _labels(train), _labels(valid)

    @classmethod
    def from_config(cls, config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> Classify:
        """Reads the data and makes the model; classes and longest sequence follow from the data.

        Raises:
            ConfigError: Settings or data do not fit.
            FormatError: A file is malformed.
        """
        data = datasets.load(config)
        given = {"n_classes": len(data.train.label_names), "max_length": data.train.width, "merge_strands": False}
        kind = kind_of(config.kind, str(config.path))
        shape: TrunkConfig = config.model_settings(kind.config, given)
        if isinstance(shape, ClassifierConfig) and shape.kmers:
            shape = replace(shape, merge_strands=config.train.reverse_complement)
        config.require_motifs(shape, data.vocabulary)
        model = kind.model(shape, seed=config.train.seed)
        task = cls(
            model, data.train, data.valid, data.vocabulary, config.train,
            held_out=data.test, device=device, n_ranks=n_ranks,
        )  # fmt: skip
        asked = config.train.batch_size
        smaller = (f"batch_size: {task.batch_size}, since there are no {asked:,} sequences",)
        task.notes = data.notes + (smaller if task.batch_size < asked else ())
        task.warnings = data.warnings
        return task

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """Rows of this step, micro-batch and rank; `valid` is False for rows that only fill the last step of a pass."""
        size, n = self.batch_size, self._steps_per_epoch(n_ranks)
        data, order = self._pass(step // n)
        first = ((step % n * self.settings.accumulate + micro) * n_ranks + rank) * size
        rows = order[first : first + size]
        fill = size - len(rows)
        rows, valid = np.pad(rows, (0, fill)), np.arange(size) < len(rows)
        return {
            "bases": data.bases[rows],
            "motif_ids": data.motif_ids[rows],
            "lengths": data.lengths[rows],
            "labels": _labels(data)[rows],
            "valid": valid,
        }

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Cross entropy, summed over the valid rows, and their number."""
        logits = self.model(inputs["bases"], inputs["motif_ids"], inputs["lengths"])
        labels = inputs["valid"].where(inputs["labels"], -1)
        return cross_entropy(logits, labels, self.settings.label_smoothing)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Sequences of each set and class."""
        sets = {"train": self.train, "valid": self.valid, "test": self.held_out}
        return {name: {label: int((_labels(data) == k).sum()) for k, label in enumerate(data.label_names)}
                for name, data in sets.items() if data is not None}  # fmt: skip

    def validate(self) -> dict[str, float]:
        """Loss, accuracy, AUC and Matthews correlation of the validation set."""
        return self._measured(self.valid)

    def test(self) -> dict[str, float] | None:
        """The same of the test set; None without one."""
        return None if self.held_out is None else self._measured(self.held_out)

    def fingerprint(self) -> bytes:
        """Digest of the vocabulary and of all sequences that are trained on or chosen by."""
        content = hashlib.sha256(self.vocabulary.to_toml().encode())
        for dataset in (self.train, self.valid):
            content.update(dataset.bases.tobytes() + _labels(dataset).tobytes())
        return content.digest()

    def _capped(self, n_ranks: int, n_devices: int) -> int:
        """Rows of a micro-batch: those of the settings, or as many as there are where that is less."""
        enough = math.ceil(len(self.train) / (self.settings.accumulate * n_ranks))
        return min(self.settings.batch_size, math.ceil(enough / n_devices) * n_devices)

    def _steps_per_epoch(self, n_ranks: int) -> int:
        return math.ceil(len(self.train) / (self.batch_size * self.settings.accumulate * n_ranks))

    def _make_pass(self, epoch: int) -> tuple[LabelledSequences, Int[np.ndarray, "n"]]:
        """The training set with the strands of this pass, and the order in which it is gone through."""
        data, seed = self.train, self.settings.seed
        if self.settings.reverse_complement:
            data = flip_strands(data, self.vocabulary.complement, seed=seed, epoch=epoch)
        return data, shuffled(len(data), seed, epoch)

    def _measured(self, dataset: LabelledSequences) -> dict[str, float]:
        metrics = measure(_labels(dataset), self.forward(*dataset.inputs))
        return {name: getattr(metrics, name) for name in ("n", "loss", "accuracy", "auc", "mcc")}


def _labels(dataset: LabelledSequences) -> np.ndarray:
    if dataset.labels is None:
        raise ConfigError("train: expected labelled sequences, but the dataset has no labels; add a label column")
    return dataset.labels
