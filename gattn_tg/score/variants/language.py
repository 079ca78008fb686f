"""What language models say of windows: how likely they are."""

from __future__ import annotations

import numpy as np

from gattn_tg.data.augment import other_strand
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.likelihood import Likelihood
from gattn_tg.models.readouts.bases import MaskedReadout, NextBaseReadout
from gattn_tg.motif import annotate
from gattn_tg.score.variants.alleles import Alleles
from gattn_tg.score.variants.options import Answers, Column, Options, checked_width, refuse_tracks
from gattn_tg.seq import N
from gattn_tg.types import Float

NAT = float(np.log(2.0))


class LikelihoodAnswers(Answers):
    """Log likelihood of the window, in nats: the sum of log p(base | bases before it) over bases that are known.

    Both strands: the mean of the window and of its reverse complement, which a causal model reads from its other end.
    """

    def __init__(self, checkpoint: Checkpoint, options: Options) -> None:
        refuse_tracks(checkpoint, options)
        self.rows = min(options.batch_size, 32)
        readout = checkpoint.readout
        learnt = readout.width if isinstance(readout, NextBaseReadout) else checkpoint.config.context
        self.width = checked_width(options.window or learnt, checkpoint.config.longest_bp)
        self._likelihood = Likelihood(checkpoint.model, checkpoint.vocabulary, self.rows)
        self._both = options.both_strands
        self.columns = _likelihood_columns("log likelihood of the window")

    def __call__(self, bases: np.ndarray, motif_ids: np.ndarray, lengths: np.ndarray) -> Float[np.ndarray, "b"]:
        """Log likelihoods."""
        found = self._sums(bases)
        if not self._both:
            return found
        turned = other_strand(bases, motif_ids, None, lengths=lengths)[0]
        mean: np.ndarray = (found + self._sums(turned)) * 0.5
        return mean

    def _sums(self, bases: np.ndarray) -> Float[np.ndarray, "b"]:
        log2_p = np.concatenate(list(self._likelihood(bases)))
        picked = np.take_along_axis(log2_p, np.minimum(bases, 3)[..., None], axis=-1)[..., 0]
        total: np.ndarray = np.where(bases < N, picked, 0.0).sum(-1, dtype=np.float64) * NAT
        return total

    def effects(self, ref: np.ndarray, alt: np.ndarray, place: Alleles) -> list[float]:
        """Both, and their difference."""
        return [float(ref), float(alt), float(alt - ref)]


class HiddenAnswers(Answers):
    """Pseudo-log-likelihood of the window, in nats: the sum of log p(base | all other bases), each base hidden in turn.

    One call of the network per base and allele: the dearest of all scores. A model of words of k bases gives a base
    the sum over the words that end in it. Motif ids are found anew in every window with a hidden base.

    Source: Salazar et al. 2020, ACL, p. 2699 (pseudo-log-likelihood of masked language models).
    """

    def __init__(self, checkpoint: Checkpoint, options: Options) -> None:
        refuse_tracks(checkpoint, options)
        self.rows, self._batch = min(options.batch_size, 32), options.batch_size
        readout = checkpoint.readout
        learnt = readout.width if isinstance(readout, MaskedReadout) else 128
        self.width = checked_width(options.window or learnt, checkpoint.config.longest_bp)
        self._forward, self._vocabulary = Forward(checkpoint.model, self._batch), checkpoint.vocabulary
        self._reads_motifs, self._both = checkpoint.config.reads_motifs, options.both_strands
        self.columns = _likelihood_columns("pseudo-log-likelihood of the window")

    def __call__(self, bases: np.ndarray, motif_ids: np.ndarray, lengths: np.ndarray) -> Float[np.ndarray, "b"]:
        """Pseudo-log-likelihoods."""
        found = self._sums(bases, lengths)
        if not self._both:
            return found
        turned = other_strand(bases, motif_ids, None, lengths=lengths)[0]
        mean: np.ndarray = (found + self._sums(turned, lengths)) * 0.5
        return mean

    def _sums(self, bases: np.ndarray, lengths: np.ndarray) -> Float[np.ndarray, "b"]:
        row, place = np.nonzero(bases < N)
        total = np.zeros(len(bases))
        for first in range(0, len(row), self._batch):
            rows, places = row[first : first + self._batch], place[first : first + self._batch]
            n = len(rows)
            rows, places = (np.pad(x, (0, self._batch - n), mode="edge") for x in (rows, places))  # one shape
            hidden = bases[rows]
            truth = hidden[np.arange(len(rows)), places]
            hidden[np.arange(len(rows)), places] = N
            ids = annotate(hidden, self._vocabulary) if self._reads_motifs else np.zeros_like(hidden)
            logits = self._forward.batch(hidden, ids, lengths[rows].astype(np.int32), places[:, None].astype(np.int32))
            words = logits[:, 0].astype(np.float64)
            words -= words.max(1, keepdims=True)
            p = np.exp(words).reshape(len(rows), -1, 4).sum(1)
            np.add.at(total, rows[:n], np.log(p[np.arange(n), truth[:n]] / p[:n].sum(1)))
        return total

    def effects(self, ref: np.ndarray, alt: np.ndarray, place: Alleles) -> list[float]:
        """Both, and their difference."""
        return [float(ref), float(alt), float(alt - ref)]

def _likelihood_columns(what: str) -> list[Column]:
    return [
        Column("ref_log_likelihood", f"{what} with the reference allele, in nats", False),
        Column("alt_log_likelihood", f"{what} with the alternative allele, in nats", False),
        Column("d_log_likelihood", f"difference of the {what}, alternative minus reference, in nats"),
    ]
