"""How likely a causal language model finds each base of given windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gattn_tg.data.genomes.corpus import behind
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.gpt import GenomicGPT
from gattn_tg.motif import MotifVocabulary, causal_ids
from gattn_tg.types import Float, UInt8


def causal_motifs(
    config: TrunkConfig, bases: UInt8[np.ndarray, "b n"], vocabulary: MotifVocabulary
) -> UInt8[np.ndarray, "b n"]:
    """The motif ids that a causal model reads beside these bases; zeros where it reads none."""
    return causal_ids(bases, vocabulary) if config.reads_motifs else np.zeros_like(bases)


class Likelihood:
    """Calling it with windows gives the log2 probabilities of A C G T at every base, given the bases before it.

    Args:
        model: a causal language model.
        vocabulary: motif classes it was trained with.
        batch_size: windows per call of the model.
        device: where the inputs go; None is tinygrad's default.
    """

    def __init__(
        self, model: GenomicGPT, vocabulary: MotifVocabulary, batch_size: int = 16, device: str | None = None
    ) -> None:
        self.model, self.vocabulary = model, vocabulary
        self.forward = Forward(model, batch_size, device)

    def __call__(self, windows: UInt8[np.ndarray, "m n"]) -> Iterator[Float[np.ndarray, "b n 4"]]:
        """Batches of log2 probabilities, in the order of the windows."""
        for first in range(0, len(windows), self.forward.batch_size):
            bases = behind(windows[first : first + self.forward.batch_size])
            logits = self.forward.batch(bases, causal_motifs(self.model.config, bases, self.vocabulary))
            top = logits.max(-1, keepdims=True)
            total = np.log2(np.exp2((logits - top) * np.log2(np.e)).sum(-1, keepdims=True))
            yield (logits - top) * np.log2(np.e) - total


class BaseMetrics:
    """Sums up how well bases were predicted.

    Args:
        first: bases at the start of every window that are not judged, as they have little before them.
    """

    def __init__(self, first: int = 0) -> None:
        self.first, self.n, self.bits, self.right = first, 0, 0.0, 0

    def add(self, log2_p: Float[np.ndarray, "b n 4"], windows: UInt8[np.ndarray, "b n"]) -> None:
        """Count some windows; an N is not judged."""
        log2_p, truth = log2_p[:, self.first :], windows[:, self.first :]
        known = truth < 4
        picked = np.take_along_axis(log2_p, np.minimum(truth, 3)[..., None], axis=-1)[..., 0]
        self.n += int(known.sum())
        self.bits -= float(picked[known].sum(dtype=np.float64))
        self.right += int((log2_p.argmax(-1) == truth)[known].sum())

    def result(self) -> dict[str, float]:
        """bits_per_base, perplexity = 2**bits, accuracy of the most likely base, and the number of bases judged."""
        n = max(self.n, 1)
        bits = self.bits / n
        return {"bits_per_base": bits, "perplexity": 2.0**bits, "accuracy": self.right / n, "n": float(self.n)}
