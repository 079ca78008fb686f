"""Marking bases: a PerBaseModel on sites of a genome that carry a label, as CpGs that are methylated or not."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.genomes.stretches import open_windows, vocabulary_in
from gattn_tg.data.marks import MarkedWindows, read_marks
from gattn_tg.data.sampler import Sampler
from gattn_tg.data.sites.listed import by_stretch
from gattn_tg.metrics.classes import auc
from gattn_tg.metrics.precision import average_precision
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.captured.strands import mirrored_sites, over_strands
from gattn_tg.models.kinds import kind_of
from gattn_tg.models.readouts.bases import SiteReadout
from gattn_tg.ops.poisson import binary_cross_entropy
from gattn_tg.strict import require
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.task import Arrays, Device
from gattn_tg.training.tasks.blocks import BlockSettings, of_one_value
from gattn_tg.training.tasks.remarks import of_few_windows
from gattn_tg.types import Bool, Float

MONITORS = {"auc": True, "average_precision": True, "loss": False}


@dataclass(frozen=True, kw_only=True)
class BaseSettings(BlockSettings):
    """The [data] table of a `PerBaseModel`.

    Args:
        label_column: Column of `labels` with 0 and 1. Bases that no line names have no label.
        window_bp: Bases that the model sees at once; sites in the inner half are predicted.
    """

    label_column: str
    window_bp: int = 2_048

    def __post_init__(self) -> None:
        super().__post_init__()
        holds = self.window_bp >= 4 and self.window_bp % 4 == 0
        require(holds, "window_bp", "a multiple of 4 from 4 up", self.window_bp)
        require(self.block_bp >= self.window_bp, "block_bp", "at least window_bp", self.block_bp)


@dataclass(frozen=True)
class BaseData:
    """The parts; `test` is None when the run has none."""

    train: MarkedWindows
    valid: MarkedWindows
    test: MarkedWindows | None

    @property
    def parts(self) -> dict[str, MarkedWindows]:
        """Those that there are, by name."""
        return {"train": self.train, "valid": self.valid, **({} if self.test is None else {"test": self.test})}


class Bases:
    """The task of a model of sites: every pass sees each labelled site of the training blocks about once.

    Args:
        model: Changed in place.
        data: Training, validation and test windows.
        settings: The [train] table: batch_size, accumulate and seed count here.
        both_strands: Predict with the mean logit of both strands.
        device: Where the inputs of `validate` go.
        n_ranks: Processes that train together.
    """

    data_table: ClassVar[type] = BaseSettings
    derived: ClassVar[tuple[str, ...]] = ("n_labels",)
    judged_by: ClassVar[Mapping[str, bool]] = MONITORS

    def __init__(
        self, model: Any, data: BaseData, settings: TrainSettings, *, both_strands: bool = True,
        device: Device = None, n_ranks: int = 1,
    ) -> None:  # fmt: skip
        self.model, self.data, self.settings, self.device = model, data, settings, device
        self.monitors: Mapping[str, bool] = MONITORS
        per_step = settings.batch_size * settings.accumulate * n_ranks
        self.notes, self.warnings = tuple[str, ...](), of_few_windows(len(data.train), per_step)
        self.steps_per_epoch = math.ceil(len(data.train) / per_step)
        self.vocabulary = vocabulary_in(data.train.genome)
        forward = Forward(model, settings.batch_size, device)
        site_bp = data.train.site_bp
        self._run = over_strands(
            forward.batch, self.vocabulary, lambda z: mirrored_sites(z, site_bp)) if both_strands else forward.batch
        blocks = tuple((name, tuple(str(block) for block in part.blocks)) for name, part in data.parts.items())
        self.readout = SiteReadout(window_bp=data.train.window_bp, site_bp=site_bp, blocks=blocks)

    @classmethod
    def from_config(cls, config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> Bases:
        """Reads the data and makes the model.

        Raises:
            ConfigError: Settings or data do not fit.
            FormatError: A file is malformed.
        """
        choices = config.data_settings(BaseSettings)
        genome = open_windows(
            config.resolve(choices.genome), config.vocabulary(choices.vocabulary), regions=choices.regions
        )
        path = config.file("labels", choices.labels)
        marks = read_marks(path, choices.label_column)
        by_stretch(genome, {m.chrom: m.starts for m in marks}, int(marks[0].ends[0] - marks[0].starts[0]))
        parts = {
            name: MarkedWindows(genome, marks, part, choices.window_bp,
                                rc=config.train.reverse_complement and name == "train")
            for name, part in choices.parts(config, marks).items()
        }  # fmt: skip
        alike = of_one_value({name: part.sites()[1] for name, part in parts.items()}, str(config.path))
        kind = kind_of(config.kind, str(config.path))
        shape = config.model_settings(kind.config, {"n_labels": 1})
        shape = config.with_motifs(shape, genome.vocabulary)
        model = kind.model(shape, seed=config.train.seed)
        task = cls(
            model, BaseData(parts["train"], parts["valid"], parts.get("test")), config.train,
            both_strands=choices.both_strands, device=device, n_ranks=n_ranks,
        )  # fmt: skip
        task.warnings += alike
        return task

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """Windows of this step, micro-batch and rank."""
        n = self.settings
        sampler = Sampler(len(self.data.train), n.batch_size, n.seed, rank, n_ranks)
        at = step * n.accumulate + micro
        return self.data.train.batch(sampler.rows(at), lambda stream: sampler.draws(at, stream))._asdict()

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Binary cross entropy, summed over the labelled sites, and their number (at least 1)."""
        logits, weight = self.model(inputs["bases"], inputs["motif_ids"]), inputs["weight"]
        return binary_cross_entropy(logits, inputs["labels"], weight), weight.sum().maximum(1.0)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Windows of each part."""
        return {name: {"windows": len(part)} for name, part in self.data.parts.items()}

    def validate(self) -> dict[str, float]:
        """Loss, AUC and average precision over the sites of the validation blocks."""
        return measure(*self.predict(self.data.valid))

    def test(self) -> dict[str, float] | None:
        """The same over the sites of the test blocks; None without any."""
        return None if self.data.test is None else measure(*self.predict(self.data.test))

    def predict(self, windows: MarkedWindows) -> tuple[Bool[np.ndarray, "s"], Float[np.ndarray, "s"]]:
        """Labels and logits of all sites that count, in the order of `windows.sites()`."""
        labels, logits = [], []
        size = self.settings.batch_size
        for start in range(0, len(windows), size):
            batch = windows.batch(np.arange(start, min(start + size, len(windows))))
            z = self._run(batch.bases, batch.motif_ids)
            counts = batch.weight[..., 0] > 0
            labels.append(batch.labels[..., 0][counts] > 0.5)
            logits.append(z[..., 0][counts])
        return np.concatenate(labels), np.concatenate(logits)

    def fingerprint(self) -> bytes:
        """Digest of the labelled sites, the blocks and the sequences of training and validation."""
        content = hashlib.sha256(self.vocabulary.to_toml().encode())
        for part in (self.data.train, self.data.valid):
            content.update(repr(list(part.blocks)).encode())
            for row in range(len(part)):
                for array in part.batch(np.array([row])):
                    content.update(array.tobytes())
        return content.digest()


def measure(labels: Bool[np.ndarray, "s"], logits: Float[np.ndarray, "s"]) -> dict[str, float]:
    """Number of sites, mean log-loss in nats, AUC and average precision of the sites with label 1."""
    z = logits.astype(np.float64)
    loss = float((np.logaddexp(0.0, z) - labels * z).mean())
    ranking = {"auc": auc(labels, z), "average_precision": average_precision(labels, z)}
    return {"n": float(labels.size), "loss": loss, **ranking}
