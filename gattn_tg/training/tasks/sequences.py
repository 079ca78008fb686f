"""What the tasks on labelled sequences share: every sequence is seen once per pass, and answered as a whole."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np
from tinygrad import Tensor

from gattn_tg.data import LabelledSequences
from gattn_tg.data.augment import other_strand, turned_in
from gattn_tg.data.mapped import MappedRows
from gattn_tg.data.order import shuffled
from gattn_tg.errors import ConfigError
from gattn_tg.metrics.outcome import Outcome
from gattn_tg.models.captured.forward import sequence_answers
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.captured.strands import over_strands
from gattn_tg.models.classifier import ClassifierConfig
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.kinds import kind_of
from gattn_tg.models.readouts.sequences import SequenceReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.task import Arrays, Device, Judge
from gattn_tg.training.tasks import filters
from gattn_tg.training.tasks import labelled as datasets
from gattn_tg.training.tasks.apart import Apart
from gattn_tg.training.tasks.summaries import Summaries
from gattn_tg.types import Bool, Float, Int

READ = ("bases", "motif_ids", "lengths", "found")  # by a model of whole sequences, in this order


class SequenceTask:
    """A model that answers about whole sequences; every sequence is seen once per pass.

    A task says what its [data] table is, which readout it learns, what a row has beside its sequence, and its loss.

    Args:
        model: Changed in place.
        train: Training set.
        valid: The set by which the best weights are chosen.
        vocabulary: Motif classes of the data, kept in the checkpoints.
        settings: The [train] table: batch_size, accumulate, reverse_complement, label_smoothing and seed count here.
        choices: The [data] table; None takes its defaults.
        held_out: Looked at once at the end; None for no test.
        device: Where the inputs of `validate` go.
        n_ranks: Processes that train together.

    Attributes:
        notes: What was read and chosen, for the user.
        warnings: What the user should think about.
        forward: The captured network, for predicting more data without compiling again; over both strands where
            training turns them.
        readout: What the answers mean.
        judge: Asks the parts of a model that learn apart; None of other models.

    Raises:
        ConfigError: The data has not what this task learns from.
    """

    data_table: ClassVar[type[datasets.DataSettings]]
    derived: ClassVar[tuple[str, ...]] = ("n_classes", "max_length", "merge_strands")
    judged_by: ClassVar[Mapping[str, bool]]

    def __init__(
        self,
        model: Any,
        train: LabelledSequences,
        valid: LabelledSequences,
        vocabulary: MotifVocabulary,
        settings: TrainSettings,
        *,
        choices: Any = None,
        held_out: LabelledSequences | None = None,
        device: Device = None,
        n_ranks: int = 1,
    ) -> None:
        self.model, self.vocabulary, self.settings = model, vocabulary, settings
        self.train, self.valid, self.held_out = train, valid, held_out
        self.choices = choices or self.data_table.of(train.label_names)
        self.monitors: Mapping[str, bool] = self.judged_by
        self.notes: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.batch_size = self._capped(n_ranks, len(device) if isinstance(device, tuple) else 1)
        self.steps_per_epoch = self._steps_per_epoch(n_ranks)
        both = settings.reverse_complement and vocabulary.is_strand_symmetric
        self.readout = replace(self.made_readout(), shortest=int(train.lengths.min()), both_strands=both)
        self.forward: Any = sequence_answers(model, self.readout, self.batch_size, device)
        if both:
            self.forward = over_strands(self.forward, vocabulary)
        self.summaries = Summaries(model, settings, (train, valid), self.batch_size, device, n_ranks)
        self._pass = lru_cache(maxsize=2)(self._make_pass)
        for data in (train, valid, *([held_out] if held_out is not None else [])):
            if not isinstance(data.bases, MappedRows):  # its rows are met one batch at a time
                model.encoded(data.bases, data.lengths)  # refuses what cannot be read before anything is learnt
        self.truth(train), self.truth(valid)
        self.judge: Judge | None = None
        if getattr(model.config, "apart", False):
            self.judge = Apart(
                model, self.readout, self.truth(valid), valid, vocabulary, self.batch_size, device, self.summaries)

    @classmethod
    def from_config(cls, config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> Self:
        """Reads the data and makes the model; outputs and longest sequence follow from the data.

        Raises:
            ConfigError: Settings or data do not fit.
            FormatError: A file is malformed.
        """
        settings = config.data_settings(cls.data_table)
        data = datasets.load(config, settings)
        given = {"n_classes": len(data.train.label_names), "max_length": data.train.width, "merge_strands": False}
        kind = kind_of(config.kind, str(config.path))
        shape: TrunkConfig = config.model_settings(kind.config, given)
        starts = filters.starts(config, settings, data.vocabulary)
        if isinstance(shape, ClassifierConfig):
            merges = bool(shape.kmers or shape.motif_pairs) and config.train.reverse_complement
            n = shape.filters or (len(starts) if settings.matrices else 0)
            try:
                shape = replace(shape, merge_strands=merges, filters=n)
                shape.require_parts()
            except ConfigError as error:
                raise ConfigError(f"{config.path}: [model] {error}") from error
            if shape.apart and shape.filters and config.train.filter_rate:
                raise ConfigError(f"{config.path}: [train] filter_rate: expected 0, as parts that learn apart cannot "
                                  f"share filters, got {config.train.filter_rate:g}; set 0, or apart = false")
        shape = config.with_motifs(shape, data.vocabulary)
        model = kind.model(shape, seed=config.train.seed)
        try:
            task = cls(
                model, data.train, data.valid, data.vocabulary, config.train, choices=settings,
                held_out=data.test, device=device, n_ranks=n_ranks,
            )  # fmt: skip
        except ConfigError as error:
            raise ConfigError(f"{config.path}: [data] {error}") from error
        if model.filters is not None:
            known = filters.Known(task.readout, task.truth(data.train))
            filters.begin(model, starts, data.train, config.train.seed, known)
        if isinstance(shape, ClassifierConfig) and shape.motif_counts:
            filters.begin_counts(task)
        asked = config.train.batch_size
        smaller = (f"batch_size: {task.batch_size}, since there are no {asked:,} sequences",)
        task.notes = data.notes + (smaller if task.batch_size < asked else ()) + task.summaries.notes
        task.warnings = data.warnings
        return task

    def made_readout(self) -> SequenceReadout:
        """What the answers mean, by what the training set holds."""
        raise NotImplementedError

    def truth(self, data: LabelledSequences) -> np.ndarray:
        """What is known of the sequences."""
        raise NotImplementedError

    def targets(self, data: LabelledSequences, rows: Int[np.ndarray, "r"]) -> Arrays:
        """What the loss needs of these rows beside the sequences."""
        raise NotImplementedError

    def loss_of(self, outputs: Float[Tensor, "b c"], inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss of what is said of a batch, summed over what is known of the valid rows, and the number or weight
        of it."""
        raise NotImplementedError

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss of what the model says; of parts that learn apart the sum: each learns as fast as alone."""
        batch = [inputs[name] for name in READ if name in inputs]
        if self.judge is None:
            return self.loss_of(self.model(*batch), inputs)
        losses, counts = zip(*(self.loss_of(said, inputs) for said in self.model.parts(*batch).values()), strict=True)
        return sum(losses), counts[0]

    def prepare(self) -> None:
        """Compute once what learns nothing: summaries of frozen filters."""
        self.summaries.compute()

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """Rows of this step, micro-batch and rank; `valid` is False for rows that only fill the last step of a pass."""
        size, n = self.batch_size, self._steps_per_epoch(n_ranks)
        data = self.train
        order, turned = self._pass(step // n)
        first = ((step % n * self.settings.accumulate + micro) * n_ranks + rank) * size
        rows = order[first : first + size]
        fill = size - len(rows)
        rows, valid = np.pad(rows, (0, fill)), np.arange(size) < len(rows)
        bases, motif_ids, lengths = data.bases[rows], data.motif_ids[rows], data.lengths[rows]
        if turned is not None:
            bases, motif_ids = other_strand(bases, motif_ids, self.vocabulary.complement, turned[rows], lengths)
        bases = self.model.encoded(bases, lengths)
        inputs = (bases, motif_ids, lengths, *(found[rows] for found in self.summaries.of(data)))
        return {**dict(zip(READ, inputs, strict=False)), **self.targets(data, rows), "valid": valid}

    def outcome(self, part: str) -> Outcome | None:
        """Truth and answers of the set "valid" or "test" with the weights that the model has now; None without one."""
        data = {"valid": self.valid, "test": self.held_out}[part]
        if data is None:
            return None
        return Outcome(self.readout, self.truth(data), self.forward(*data.inputs, *self.summaries.of(data)))

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Sequences of each set, by class or label."""
        sets = {"train": self.train, "valid": self.valid, "test": self.held_out}
        return {name: self.choices.counts(data) for name, data in sets.items() if data is not None}

    def validate(self) -> dict[str, float]:
        """Metrics of the validation set."""
        found = self.outcome("valid")
        assert found is not None
        return found.metrics()

    def test(self) -> dict[str, float] | None:
        """The same of the test set; None without one."""
        found = self.outcome("test")
        return None if found is None else found.metrics()

    def fingerprint(self) -> bytes:
        """Digest of the vocabulary and of all sequences that are trained on or chosen by."""
        content = hashlib.sha256(self.vocabulary.to_toml().encode() + self.choices.fingerprint())
        for dataset in (self.train, self.valid):
            content.update(_bases_of(dataset) + self.truth(dataset).tobytes())
            if self.vocabulary.states and not isinstance(dataset.motif_ids, MappedRows):
                content.update(dataset.motif_ids.tobytes())  # they do not follow from the bases
        return content.digest()

    def _capped(self, n_ranks: int, n_devices: int) -> int:
        """Rows of a micro-batch: those of the settings, or as many as there are where that is less."""
        enough = math.ceil(len(self.train) / (self.settings.accumulate * n_ranks))
        return min(self.settings.batch_size, math.ceil(enough / n_devices) * n_devices)

    def _steps_per_epoch(self, n_ranks: int) -> int:
        return math.ceil(len(self.train) / (self.batch_size * self.settings.accumulate * n_ranks))

    def _make_pass(self, epoch: int) -> tuple[Int[np.ndarray, "n"], Bool[np.ndarray, "n"] | None]:
        """The order in which the training set is gone through in a pass, and which rows are turned in it."""
        n, seed = len(self.train), self.settings.seed
        return shuffled(n, seed, epoch), turned_in(epoch, n, seed) if self.settings.reverse_complement else None


def _bases_of(data: LabelledSequences) -> bytes:
    """All bases; of a mapped file digests of its rows with their motif ids, so that no process reads all of them."""
    if not isinstance(data.bases, MappedRows):
        return data.bases.tobytes()
    facts = data.with_facts().facts
    assert facts is not None
    return facts.content.tobytes()
