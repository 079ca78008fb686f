"""What a model says of windows, as numbers whose differences mean something, and what is told of two alleles."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from gattn_tg.errors import ConfigError, UnsupportedError, an
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.captured.strands import Run, over_strands
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.readouts.bases import MaskedReadout, NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import ClassReadout, LabelReadout, SequenceReadout, ValueReadout
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.score.along import GenomePredictor
from gattn_tg.score.variants.alleles import Alleles
from gattn_tg.score.variants.language import HiddenAnswers, LikelihoodAnswers
from gattn_tg.score.variants.options import Answers, Column, Options, checked_width, refuse_tracks
from gattn_tg.types import Float


class SequenceAnswers(Answers):
    """What a model says of a whole window: log odds of classes or labels from the logits, which lose nothing where a
    probability is near 0 or 1; or values in the units of the table.
    """

    def __init__(self, checkpoint: Checkpoint, options: Options) -> None:
        readout, config = checkpoint.readout, checkpoint.config
        if not isinstance(readout, SequenceReadout) or (isinstance(readout, ClassReadout) and len(readout.labels) < 2):
            raise UnsupportedError("variants: expected a checkpoint that names two classes or more, got one that does "
                                   "not; what changes with a variant has no name")
        refuse_tracks(checkpoint, options)
        self.width = checked_width(options.window or config.max_length, config.longest_bp)
        # a window at the end of a contig is as long as the others; a contig of this length stands as it was learnt
        self.is_padded = config.only_bp is not None
        if self.is_padded and self.width != config.only_bp:
            raise ConfigError(f"variants: expected a window of {config.only_bp} bases, as the model sees what stands "
                              f"at each place, got {self.width}; leave it out")
        self.rows = options.batch_size
        forward, (what, read) = Forward(checkpoint.model, self.rows), _read(readout)
        run: Run = lambda *inputs: read(forward.batch(*inputs))  # noqa: E731
        self._run = over_strands(run, checkpoint.vocabulary) if options.both_strands else run
        self.columns = [column for label in readout.labels for column in (
            Column(f"ref_{label}", f"{what} {label} with the reference allele", False),
            Column(f"alt_{label}", f"{what} {label} with the alternative allele", False),
            Column(f"d_{label}", f"{what} {label}: alternative minus reference"),
        )]  # fmt: skip

    def __call__(self, bases: np.ndarray, motif_ids: np.ndarray, lengths: np.ndarray) -> Float[np.ndarray, "b c"]:
        """Log odds, or values."""
        return self._run(bases, motif_ids, lengths)

    def effects(self, ref: np.ndarray, alt: np.ndarray, place: Alleles) -> list[float]:
        """Both, and their difference, answer by answer."""
        found: list[float] = np.stack([ref, alt, alt - ref], axis=1).ravel().tolist()
        return found


def _read(readout: SequenceReadout) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """What is compared of a model with this readout, in words, and how it follows from the outputs."""
    if isinstance(readout, ClassReadout):
        return "log odds in nats of", _log_odds
    if isinstance(readout, ValueReadout):
        return "predicted value of", readout.values
    return "log odds in nats of", lambda outputs: outputs.astype(np.float64)


class TrackAnswers(Answers):
    """Expected counts of bins r (reference) and a (alternative), compared bin by bin as they stand in the window.

    Bases behind an insertion or deletion stand in other bins than before. `_at` takes only the bins that a base of
    either allele stands in; without it all bins that the model gives of the window count.

        sad           = sum (a - r)
        log2_ratio    = mean log2((a + 1) / (r + 1))
        diff_log2_sum = log2(1 + sum a) - log2(1 + sum r)
        l2            = sqrt(sum (a - r)^2)

    Source: Kelley 2018, Genome Research 28:739 (SAD); Linder et al. 2025, Nature Genetics 57:949 (log and L2 scores).
    """

    is_padded, is_inside = True, False
    SCORES: ClassVar[dict[str, str]] = {
        "sad": "sum of the differences of counts, alternative minus reference",
        "log2_ratio": "mean log2 ratio of counts + 1 of bins",
        "diff_log2_sum": "difference of log2 of 1 + the sum of counts",
        "l2": "root of the sum of squared differences of counts",
    }

    def __init__(self, checkpoint: Checkpoint, options: Options) -> None:
        self.rows = min(options.batch_size, 4)
        self._of = _along(checkpoint, options, self.rows)
        assert self._of.head is not None  # a TrackReadout has heads
        self._head, self.width = self._of.head, self._of.window_bp
        self._margin, self._bin_bp = self._of.margin, self._of.bin_bp
        self._chosen = self._of.columns(options.tracks)
        where = {"_at": "in the bins of the variant", "": "over the window"}
        self.columns = [
            Column(f"{score}{at}_{self._of.names[k]}", f"{about}, {where[at]}, track {self._of.names[k]}")
            for at in where for score, about in self.SCORES.items() for k in self._chosen
        ]  # fmt: skip

    def __call__(self, bases: np.ndarray, motif_ids: np.ndarray, lengths: np.ndarray) -> Float[np.ndarray, "b p k"]:
        """Counts."""
        return self._head.counts(self._of.run(bases, motif_ids))[:, :, self._chosen]

    def effects(self, ref: np.ndarray, alt: np.ndarray, place: Alleles) -> list[float]:
        """All scores at the variant, then over the window; nan at a variant in the margin that gets no bins."""
        first = (place.at - self._margin) // self._bin_bp
        last = (place.at + max(place.n_ref, place.n_alt, 1) - 1 - self._margin) // self._bin_bp
        here = slice(max(first, 0), max(last + 1, 0))
        found = []
        for r, a in ((ref[here].astype(np.float64), alt[here].astype(np.float64)),
                     (ref.astype(np.float64), alt.astype(np.float64))):  # fmt: skip
            if not len(r):
                found.append(np.full((4, ref.shape[1]), np.nan))
                continue
            found.append(np.stack([
                (a - r).sum(0), np.log2((a + 1) / (r + 1)).mean(0), np.log2((1 + a.sum(0)) / (1 + r.sum(0))),
                np.sqrt(((a - r) ** 2).sum(0)),
            ]))  # fmt: skip
        effects: list[float] = np.stack(found).ravel().tolist()
        return effects


class SiteAnswers(Answers):
    """Log odds of yes at every base, compared base by base in the inner half of the window, which was learnt.

    Bases to the right of an insertion or deletion are compared with themselves, where they have moved to. Alleles of
    one length are compared base by base; bases that only one allele has are compared with nothing.
    """

    is_padded, is_inside = True, False

    def __init__(self, checkpoint: Checkpoint, options: Options) -> None:
        self.rows = min(options.batch_size, 16)
        if options.tracks is not None:
            raise ConfigError(f"variants: expected no tracks for {an(checkpoint.kind.name)}, got some; leave them out")
        self._of = _along(checkpoint, options, self.rows)
        self.width, self._margin = self._of.window_bp, self._of.margin
        self.columns = [column for name in self._of.names for column in (
            Column(f"d_at_{name}", f"difference of the log odds of {name} at the first base that differs, or at the "
                                   "base in front of an insertion or deletion, in nats"),
            Column(f"d_max_{name}", f"largest difference of the log odds of {name} in the window, in nats"),
            Column(f"d_max_offset_{name}", "bases from the variant to the base of that difference", False),
            Column(f"l2_{name}", "root of the sum of squared differences of the log odds in the window"),
        )]  # fmt: skip

    def __call__(self, bases: np.ndarray, motif_ids: np.ndarray, lengths: np.ndarray) -> Float[np.ndarray, "b n k"]:
        """Log odds, which is what the logits are."""
        return self._of.run(bases, motif_ids)

    def effects(self, ref: np.ndarray, alt: np.ndarray, place: Alleles) -> list[float]:
        """At the variant, the largest, where, and all together."""
        n, moved = len(ref), place.n_alt - place.n_ref
        old = np.arange(self._margin, n - self._margin)
        is_same = (old < place.at) | (old >= place.at + place.n_ref) | (moved == 0)
        new = np.where(old < place.at, old, old + moved)
        is_same &= (new >= self._margin) & (new < n - self._margin)
        old, new = old[is_same], new[is_same]
        at = place.at if moved == 0 else place.at - 1
        found: list[float] = []
        for k in range(ref.shape[1]):
            d = alt[new, k].astype(np.float64) - ref[old, k]
            most = int(np.abs(d).argmax())
            here = d[old == at]
            found += [float(here[0]) if len(here) else float("nan"), float(d[most]), float(old[most] - place.at),
                      float(np.sqrt((d**2).sum()))]  # fmt: skip
        return found


ANSWERS: dict[type[Readout], Callable[[Checkpoint, Options], Answers]] = {
    ClassReadout: SequenceAnswers,
    LabelReadout: SequenceAnswers,
    ValueReadout: SequenceAnswers,
    TrackReadout: TrackAnswers,
    SiteReadout: SiteAnswers,
    NextBaseReadout: LikelihoodAnswers,
    MaskedReadout: HiddenAnswers,
}


def answers_of(checkpoint: Checkpoint, options: Options) -> Answers:
    """What a model of a kind says of windows.

    Raises:
        ConfigError: an option that the kind does not have, or a window that it cannot read.
    """
    kind = checkpoint.kind.readout if checkpoint.readout is None else type(checkpoint.readout)
    return ANSWERS[kind](checkpoint, options)


def _log_odds(logits: Float[np.ndarray, "b c"]) -> Float[np.ndarray, "b c"]:
    """Of each class against all others: z_c - log(sum of exp z over the others)."""
    z = logits.astype(np.float64)
    others = np.where(np.eye(z.shape[1], dtype=bool), -np.inf, z[:, None, :])
    top = others.max(-1)
    odds: np.ndarray = z - top - np.log(np.exp(others - top[..., None]).sum(-1))
    return odds


def _along(checkpoint: Checkpoint, options: Options, rows: int) -> GenomePredictor:
    found = GenomePredictor(checkpoint, head=options.head, both_strands=options.both_strands, batch_size=rows)
    if options.window not in (None, found.window_bp):
        raise ConfigError(f"variants: expected a window of {found.window_bp} bases, as in training, for a "
                          f"{checkpoint.kind.name}, got {options.window}; leave it out")
    return found
