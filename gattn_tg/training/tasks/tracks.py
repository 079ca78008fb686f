"""Predicting tracks: a TrackModel on windows of a genome with counts along them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context

from gattn_tg.data.augment import mirrored
from gattn_tg.data.genomes.stretches import vocabulary_in
from gattn_tg.data.pieces import TrackPieces
from gattn_tg.data.sampler import Sampler
from gattn_tg.data.tracks import ArrayTargets, soft_clipped, unclipped
from gattn_tg.metrics.correlation import by_group, pearson
from gattn_tg.models.finite import finite
from gattn_tg.models.inputs import Inputs, to_tensors
from gattn_tg.models.strands import Run, over_strands
from gattn_tg.models.tracks import TrackModel
from gattn_tg.ops.poisson import LEAST, poisson, poisson_multinomial
from gattn_tg.training.config import TrainSettings
from gattn_tg.training.task import Arrays, Device
from gattn_tg.training.tasks.trackdata import TrackData, TrackSettings
from gattn_tg.types import Float

MONITORS = {"pearson": True, "pearson_log1p": True, "loss": False}


class Tracks:
    """The task of a `TrackModel`: every pass sees as many pieces, placed by chance, as cover all training windows.

    Args:
        model: Changed in place.
        data: Training, validation and test pieces.
        settings: The [train] table: batch_size, accumulate and seed count here.
        data_settings: The [data] table: head, loss, scaling.
        device: Where the inputs of `validate` go.
        n_ranks: Processes that train together.

    Attributes:
        scale: What the counts of each track are divided by, see `learnt`.
    """

    def __init__(
        self, model: TrackModel, data: TrackData, settings: TrainSettings, data_settings: TrackSettings, *,
        device: Device = None, n_ranks: int = 1,
    ) -> None:  # fmt: skip
        self.model, self.data, self.settings, self.choices = model, data, settings, data_settings
        self.device = device
        self.monitors: Mapping[str, bool] = MONITORS
        self.notes, self.warnings = data.notes, tuple[str, ...]()
        per_step = settings.batch_size * settings.accumulate * n_ranks
        self.steps_per_epoch = math.ceil(len(data.train) / per_step)
        self.scale = self._scale()
        self._forward = TinyJit(self._rates)

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """Pieces of this step, micro-batch and rank, with scaled targets."""
        n = self.settings
        sampler = Sampler(len(self.data.train), n.batch_size, n.seed, rank, n_ranks)
        at = step * n.accumulate + micro
        batch = self.data.train.batch(sampler.rows(at), lambda stream: sampler.draws(at, stream))
        targets = self.learnt(batch.targets)
        return {"bases": batch.bases, "motif_ids": batch.motif_ids, "targets": targets}

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss that the configuration names, summed over bins and tracks, and the number of these."""
        rates, targets = self.model(inputs["bases"], inputs["motif_ids"], self.choices.head), inputs["targets"]
        if self.choices.loss == "poisson":
            total = poisson(rates, targets)
        else:
            total = poisson_multinomial(rates, targets, self.choices.total_weight, self.choices.segments)
        return total, (targets * 0 + 1).sum()

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
        out = np.zeros((len(pieces.intervals), pieces.n_targets, len(self.scale)), np.float32)
        size = self.settings.batch_size
        run: Run = self._run
        if self.choices.both_strands:
            run = over_strands(run, vocabulary_in(pieces.genome), lambda x: mirrored(x, self.data.table.pairs))
        with Context(TRAINING=0):
            for start in range(0, len(pieces), size):
                rows = np.minimum(np.arange(start, start + size), len(pieces) - 1)
                batch = pieces.batch(rows)
                rates = run(batch.bases, batch.motif_ids)
                for row, first, values in zip(rows, pieces.first_bins(rows), rates, strict=True):
                    out[row // pieces.per_window, first : first + pieces.bins] = values
        return self.counts(out)

    def learnt(self, counts: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """Counts as the model is to predict them: scaled and clipped."""
        return soft_clipped(counts / self.scale, self.choices.soft_clip)

    def counts(self, learnt: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """What `learnt` was made of."""
        scaled: np.ndarray = unclipped(learnt, self.choices.soft_clip) * self.scale
        return scaled

    def about(self) -> dict[str, Any]:
        """Vocabulary, head, window, names, assays and strands of the tracks, and how counts follow from rates."""
        table = self.data.table
        return {
            "vocabulary": vocabulary_in(self.data.train.genome).to_toml(),
            "head": self.choices.head,
            "tracks": list(table.names),
            "assays": list(table.assays),
            "pairs": None if table.pairs is None else list(table.pairs),
            "scale": [float(x) for x in self.scale],
            "soft_clip": self.choices.soft_clip,
            "window_bp": self.data.train.window_bp,
        }

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
        return measure(self.predict(pieces), targets_of(pieces), self.data.table.assays, self.scale)

    def _run(self, bases: np.ndarray, motif_ids: np.ndarray) -> Float[np.ndarray, "b p k"]:
        inputs = to_tensors({"bases": bases, "motif_ids": motif_ids}, self.device)
        rates = self._forward(inputs["bases"], inputs["motif_ids"])
        copied: np.ndarray = np.array(rates.numpy())  # a captured call gives the same memory again
        return finite(copied, type(self.model).__name__)

    def _rates(self, bases: Tensor, motif_ids: Tensor) -> Tensor:
        return self.model(bases, motif_ids, self.choices.head).realize()

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
    scale: Float[np.ndarray, "k"],
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
    rate, count = p / scale, y / scale
    return found | {"loss": float(np.mean(rate - count * np.log(np.maximum(rate, LEAST)), dtype=np.float64))}
