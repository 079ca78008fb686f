"""Predicting tracks: a TrackModel on windows of a genome with counts along them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.genomes.stretches import vocabulary_in
from gattn_tg.data.pieces import TrackPieces
from gattn_tg.data.sampler import Sampler
from gattn_tg.data.tracks import ArrayTargets
from gattn_tg.metrics.correlation import by_group, pearson
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.captured.strands import over_strands
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout
from gattn_tg.ops.poisson import LEAST, poisson, poisson_multinomial
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.task import Arrays, Device
from gattn_tg.training.tasks.remarks import of_few_windows
from gattn_tg.training.tasks.trackdata import TrackData, TrackSettings
from gattn_tg.types import Float

MONITORS = {"pearson": True, "pearson_log1p": True, "loss": False}


class Tracks:
    """The task of one head of a model of tracks: every pass sees as many pieces, placed by chance, as cover all
    windows.

    Args:
        model: Changed in place.
        data: Training, validation and test pieces.
        settings: The [train] table: batch_size, accumulate and seed count here.
        data_settings: The [data] table: head, loss, scaling.
        device: Where the inputs of `validate` go.
        n_ranks: Processes that train together.

    Attributes:
        head: The tracks, and how counts follow from rates.
    """

    def __init__(
        self, model: Any, data: TrackData, settings: TrainSettings, data_settings: TrackSettings, *,
        device: Device = None, n_ranks: int = 1,
    ) -> None:  # fmt: skip
        self.model, self.data, self.settings, self.choices = model, data, settings, data_settings
        self.monitors: Mapping[str, bool] = MONITORS
        per_step = settings.batch_size * settings.accumulate * n_ranks
        self.notes, self.warnings = data.notes, of_few_windows(len(data.train), per_step)
        self.steps_per_epoch = math.ceil(len(data.train) / per_step)
        self.head = self._head()
        self.readout = TrackReadout(heads=(self.head,))
        self.vocabulary = vocabulary_in(data.train.genome)
        forward = Forward(model, settings.batch_size, device, lambda *inputs: model(*inputs, data_settings.head))
        both = data_settings.both_strands
        self._run = over_strands(forward.batch, self.vocabulary, self.head.mirrored) if both else forward.batch

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """Pieces of this step, micro-batch and rank, with scaled targets."""
        n = self.settings
        sampler = Sampler(len(self.data.train), n.batch_size, n.seed, rank, n_ranks)
        at = step * n.accumulate + micro
        batch = self.data.train.batch(sampler.rows(at), lambda stream: sampler.draws(at, stream))
        targets = self.head.learnt(batch.targets)
        return {"bases": batch.bases, "motif_ids": batch.motif_ids, "targets": targets}

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss that the configuration names, summed over bins and tracks, and the number of these."""
        rates, targets = self.model(inputs["bases"], inputs["motif_ids"], self.choices.head), inputs["targets"]
        if self.choices.loss == "poisson":
            total = poisson(rates, targets)
        else:
            total = poisson_multinomial(rates, targets, self.choices.total_weight, self.choices.segments)
        return total, (targets * 0 + 1).sum()

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Pieces of windows of each part."""
        parts = {"train": self.data.train, "valid": self.data.valid, "test": self.data.test}
        return {name: {"windows": len(part)} for name, part in parts.items() if part is not None}

    def validate(self) -> dict[str, float]:
        """Metrics of the validation windows, see `measure`."""
        return self._measured(self.data.valid)

    def test(self) -> dict[str, float] | None:
        """The same of the test windows; None without any."""
        return None if self.data.test is None else self._measured(self.data.test)

    def predict(self, pieces: TrackPieces) -> Float[np.ndarray, "N p k"]:
        """Counts that the model expects in all bins of the windows with targets; each bin is seen once.

        With `both_strands` it is the mean of the prediction for the sequence and for its reverse complement.
        """
        out = np.zeros((len(pieces.intervals), pieces.n_targets, len(self.head.tracks)), np.float32)
        size = self.settings.batch_size
        for start in range(0, len(pieces), size):
            rows = np.arange(start, min(start + size, len(pieces)))
            batch = pieces.batch(rows)
            rates = self._run(batch.bases, batch.motif_ids)
            for row, first, values in zip(rows, pieces.first_bins(rows), rates, strict=True):
                out[row // pieces.per_window, first : first + pieces.bins] = values
        return self.head.counts(out)

    def fingerprint(self) -> bytes:
        """Digest of the windows, their sequences, motif ids and targets."""
        content = hashlib.sha256(repr(self.choices).encode())
        for pieces in (self.data.train, self.data.valid):
            content.update(repr(list(pieces.intervals)).encode())
            for row in range(0, len(pieces), pieces.per_window):
                batch = pieces.batch(np.array([row]))
                content.update(batch.bases.tobytes() + batch.motif_ids.tobytes() + batch.targets.tobytes())
        return content.digest()

    def _measured(self, pieces: TrackPieces) -> dict[str, float]:
        return measure(self.predict(pieces), targets_of(pieces), self.head.assays, self.head.scale)

    def _head(self) -> TrackHead:
        table, choices = self.data.table, self.choices
        return TrackHead(
            head=choices.head, tracks=table.names, assays=table.assays, pairs=table.pairs or (),
            scale=tuple(float(x) for x in self._scale()), soft_clip=float(choices.soft_clip),
            window_bp=self.data.train.window_bp,
        )  # fmt: skip

    def _scale(self) -> Float[np.ndarray, "k"]:
        counts = targets_of(self.data.train)
        scale = np.ones(counts.shape[2])
        if self.choices.scale_tracks:
            scale = counts.mean((0, 1), dtype=np.float64)
        if (pairs := self.data.table.pairs) is not None:
            scale = (scale + scale[list(pairs)]) / 2  # one for both strands, which turning exchanges
        kept: np.ndarray = np.maximum(scale, 1e-4).astype(np.float32)
        return kept


def targets_of(pieces: TrackPieces) -> Float[np.ndarray, "N p k"]:
    """The targets of all windows as they are, every bin once."""
    if isinstance(pieces.targets, ArrayTargets):
        return np.asarray(pieces.targets.values, np.float32)
    out = []
    for window in range(len(pieces.intervals)):
        rows = window * pieces.per_window + np.arange(pieces.per_window)
        whole = np.zeros((pieces.n_targets, len(pieces.targets.tracks)), np.float32)
        for row, first in zip(rows, pieces.first_bins(rows), strict=True):
            whole[first : first + pieces.bins] = pieces.batch(np.array([row])).targets[0]
        out.append(whole)
    return np.stack(out)


def measure(
    predicted: Float[np.ndarray, "N p k"], measured: Float[np.ndarray, "N p k"], assays: tuple[str, ...],
    scale: Sequence[float],
) -> dict[str, float]:  # fmt: skip
    """Pearson r over all bins of all windows per track, then the mean over the tracks of an assay, then over assays.

    Args:
        predicted: Expected counts.
        measured: Counts.
        assays: Assay of every track.
        scale: What the tracks are divided by in the loss.

    Returns:
        `pearson` (counts as they are), `pearson_log1p` (log(1 + counts)), both also per assay (`pearson_CAGE`), and
        `loss`, the mean Poisson loss of scaled counts in nats per bin and track.
    """
    p, y = (x.reshape(-1, x.shape[-1]) for x in (predicted, measured))
    found: dict[str, float] = {}
    for name, (a, b) in {"pearson": (p, y), "pearson_log1p": (np.log1p(p), np.log1p(y))}.items():
        groups = by_group(pearson(a, b), assays)
        found[name] = float(np.mean(list(groups.values())))
        found |= {f"{name}_{assay}": r for assay, r in groups.items()}
    rate, count = (x / np.array(scale, np.float32) for x in (p, y))
    return found | {"loss": float(np.mean(rate - count * np.log(np.maximum(rate, LEAST)), dtype=np.float64))}
