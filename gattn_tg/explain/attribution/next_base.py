"""What a language model says of one base, as log odds against the other three: the next one, or a hidden one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.data.genomes.corpus import behind
from gattn_tg.explain.attribution.target import Target, log_odds
from gattn_tg.models.likelihood import causal_motifs
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.ops.lookup import rows_at
from gattn_tg.seq import N
from gattn_tg.seq.alphabet import N_BASES
from gattn_tg.types import Float, UInt8


@dataclass(frozen=True)
class NextBase(Target):
    """The base that follows a sequence, as a causal model predicts it: log odds of A C G T in nats."""

    def run(self, *inputs: Tensor) -> Float[Tensor, "b 4"]:
        """Log odds behind the last of `lengths` bases; an N for the start is put in front."""
        bases, motif_ids, lengths = inputs
        n_motifs = int(self.model.config.n_motifs)
        x = self.model.hidden(_with_start(bases, N, N_BASES), _with_start(motif_ids, 0, n_motifs))
        return log_odds(self.model.to_bases(rows_at(x, lengths.unsqueeze(1)))[:, 0].float())

    def motif_ids(self, bases: UInt8[np.ndarray, "b n"], vocabulary: MotifVocabulary) -> UInt8[np.ndarray, "b n"]:
        """As far as the bases up to each one tell."""
        room = np.pad(bases, ((0, 0), (0, 1)))
        ids: np.ndarray = causal_motifs(self.model.config, behind(room), vocabulary)[:, 1:]
        return ids


@dataclass(frozen=True)
class HiddenBase(Target):
    """The base at a place that is hidden, as a masked model names it: log odds of A C G T in nats.

    A model of words of k bases gives a base the sum over the words that end in it.
    """

    def run(self, *inputs: Tensor) -> Float[Tensor, "b 4"]:
        """Log odds at `places`, where the bases must have an N."""
        bases, motif_ids, lengths, places = inputs
        words = self.model(bases, motif_ids, lengths, places.unsqueeze(1))[:, 0].float()
        return log_odds(words.reshape(words.shape[0], -1, 4).logsumexp(1))

    def motif_ids(self, bases: UInt8[np.ndarray, "b n"], vocabulary: MotifVocabulary) -> UInt8[np.ndarray, "b n"]:
        """Those of the bases that can be seen."""
        return annotate(bases, vocabulary) if self.model.config.reads_motifs else np.zeros_like(bases)


def _with_start(x: Tensor, fill: int, n_ids: int) -> Tensor:
    if not dtypes.is_float(x.dtype):
        return x.pad(((0, 0), (1, 0)), value=fill)
    start = np.eye(n_ids, dtype=np.float32)[fill]
    return Tensor(start, device=x.device).reshape(1, 1, n_ids).expand(x.shape[0], 1, n_ids).cat(x, dim=1)
