"""What a model says along sequences: tracks of a `TrackModel`, probabilities of a `PerBaseModel`."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context

from gattn_tg.data.augment import mirrored
from gattn_tg.data.genomes.stretches import Windowed
from gattn_tg.errors import ConfigError
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.finite import finite
from gattn_tg.models.inputs import to_tensors
from gattn_tg.models.readouts import site_readout, track_readout
from gattn_tg.models.strands import mirrored_sites, over_strands, require_symmetric
from gattn_tg.models.tracks import TrackModel
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Float


class Along:
    """Calling it with a stretch of a genome gives one row of values per bin of it.

    Windows as long as those of training are laid side by side by their inner parts, which have sequence on both sides;
    beyond the ends of what there is, a model sees N.

    Args:
        checkpoint: of a `TrackModel` or a `PerBaseModel`, as `gattn train` writes them.
        head: head of a `TrackModel` with several; None takes the first.
        batch_size: windows per call of the model.
        both_strands: the mean over the sequence and its reverse complement.
        device: where to run; None is tinygrad's default.

    Attributes:
        names: of the tracks; a `PerBaseModel` has "probability", or label_0 and so on where it has several.
        bin_bp: bases per row.

    Raises:
        ConfigError: another kind of model, no such head, or `both_strands` with motifs of one strand only.
        FormatError: the checkpoint does not say how it was trained, or not what belongs to the model.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, head: str | None = None, batch_size: int = 2, both_strands: bool = True,
        device: str | None = None,
    ) -> None:  # fmt: skip
        self.model, self.vocabulary = checkpoint.model, checkpoint.vocabulary
        self.batch_size, self.both_strands, self.device = batch_size, both_strands, device
        if both_strands:
            require_symmetric(self.vocabulary)
        self.is_binned = isinstance(self.model, TrackModel)
        self.pairs: tuple[int, ...] | None = None
        if self.is_binned:
            self.tracks = track_readout(checkpoint.about, self.model.config, head)
            self.window_bp, self.names, self.pairs = self.tracks.window_bp, self.tracks.tracks, self.tracks.pairs
            self.bin_bp, self.margin = int(self.model.config.bin_bp), int(self.model.config.crop_bp)
        else:
            self.sites = site_readout(checkpoint.about, self.model.config)
            n, self.bin_bp, self.window_bp = int(self.model.config.n_labels), 1, self.sites.window_bp
            self.names = ("probability",) if n == 1 else tuple(f"label_{i}" for i in range(n))
            self.margin = self.window_bp // 4
        self._captured = TinyJit(self._forward)

    @property
    def inner_bp(self) -> int:
        """Bases of a window that get values."""
        return self.window_bp - 2 * self.margin

    def __call__(self, genome: Windowed, interval: Interval) -> Float[np.ndarray, "p k"]:
        """Values of the bins that begin in the interval, the first one at its start.

        Args:
            genome: bases, and motif ids of the vocabulary that the model was trained with.
            interval: where; its strand is not looked at.

        Raises:
            CoordinateError: an interval where there is no sequence.
            ConfigError: the motif ids of the genome mean something else.
            DivergedError: a value is not finite.
        """
        if self.model.config.reads_motifs and genome.vocabulary != self.vocabulary:
            raise ConfigError(
                "Along: a genome annotated with the vocabulary of the model is required, but came one with "
                f"{'no motifs' if genome.vocabulary is None else 'another'}; preprocess it again with that vocabulary"
            )
        starts = range(interval.start - self.margin, interval.end - self.margin, self.inner_bp)
        windows = [Interval(interval.chrom, start, start + self.window_bp) for start in starts]
        found = []
        with Context(TRAINING=0):
            for first in range(0, len(windows), self.batch_size):
                some = windows[first : first + self.batch_size]
                rows = some + some[-1:] * (self.batch_size - len(some))  # one shape: the program is captured
                found += list(self._values(*genome.windows(rows, self.window_bp))[: len(some)])
        bins = -(-len(interval) // self.bin_bp)
        kept: np.ndarray = np.concatenate(found)[:bins]
        return kept

    def _values(self, bases: np.ndarray, motif_ids: np.ndarray) -> Float[np.ndarray, "b p k"]:
        run = over_strands(self._run, self.vocabulary, self._mirror) if self.both_strands else self._run
        z = run(bases, motif_ids)
        if self.is_binned:
            return self.tracks.counts(z)
        inner = z[:, self.margin : self.window_bp - self.margin]
        probabilities: np.ndarray = 0.5 * (1 + np.tanh(0.5 * inner))  # the sigmoid, without overflow
        return probabilities

    def _mirror(self, values: np.ndarray) -> np.ndarray:
        return mirrored(values, self.pairs) if self.is_binned else mirrored_sites(values, self.sites.site_bp)

    def _run(self, bases: np.ndarray, motif_ids: np.ndarray) -> Float[np.ndarray, "b p k"]:
        inputs = to_tensors({"bases": bases, "motif_ids": motif_ids}, self.device)
        copied: np.ndarray = np.array(self._captured(inputs["bases"], inputs["motif_ids"]).numpy())
        return finite(copied, type(self.model).__name__)

    def _forward(self, bases: Tensor, motif_ids: Tensor) -> Tensor:
        z = self.model(bases, motif_ids, self.tracks.head) if self.is_binned else self.model(bases, motif_ids)
        return z.float().realize()

