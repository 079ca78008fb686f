"""Gradients of an answer in its inputs: weights over the five bases and over the motif ids, in place of ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context
from tinygrad.nn.state import get_parameters

from gattn_tg.data.dinucleotides import dinucleotide_shuffle
from gattn_tg.explain.attribution.sequences import Asked, Attribution, there
from gattn_tg.explain.attribution.target import Target
from gattn_tg.machine.recorded import recorded
from gattn_tg.models.captured.finite import finite
from gattn_tg.models.captured.inputs import Feed
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq import N
from gattn_tg.seq.alphabet import N_BASES
from gattn_tg.types import Float, Int, UInt8

LEAST = 1e-12  # of a difference that a residual is a share of


class Weights(NamedTuple):
    """Inputs that stand between sequences: for every base, weights over A C G T N and over motif ids.

    Where a target holds motifs, `motifs` are the ids themselves, and so are gradients in them: zeros.
    """

    bases: Float[np.ndarray, "b n 5"]
    motifs: Float[np.ndarray, "b n t"] | UInt8[np.ndarray, "b n"]


class Gradients:
    """Calling it with weights gives the answers and their gradients, batch by batch.

    Args:
        target: what is asked.
        batch_size: rows per call of the network.
    """

    def __init__(self, target: Target, batch_size: int) -> None:
        self.target, self.batch_size = target, batch_size
        self.n_motifs = int(target.model.config.n_motifs)
        self._feed = Feed()
        self._captured: dict[tuple[int, ...], TinyJit[..., tuple[Tensor, ...]]] = {}

    def of(self, bases: UInt8[np.ndarray, "... n"], motif_ids: UInt8[np.ndarray, "... n"]) -> Weights:
        """One weight of 1 at every base."""
        weighted = np.eye(N_BASES, dtype=np.float32)[bases]
        if self.target.holds_motifs:
            return Weights(weighted, motif_ids)
        return Weights(weighted, np.eye(self.n_motifs, dtype=np.float32)[motif_ids])

    def __call__(
        self, weights: Weights, told: Sequence[Int[np.ndarray, "b"]], wanted: Float[np.ndarray, "b c"]
    ) -> tuple[Float[np.ndarray, "b"], Weights]:
        """Answers, and gradients in all weights.

        Args:
            weights: the inputs.
            told: what the network is told of every row beside them, see `Asked.told`.
            wanted: weights of the answers, whose sum is asked.

        Raises:
            DivergedError: one is not finite.
        """
        n = len(wanted)
        fill = self.batch_size - n
        arrays = [np.pad(x, ((0, fill), *((0, 0),) * (x.ndim - 1)), mode="edge")
                  for x in (*weights, *(x.astype(np.int32) for x in told), wanted.astype(np.float32))]  # fmt: skip
        shape = weights.bases.shape[1:]
        if shape not in self._captured:
            self._captured[shape] = recorded(self._run, get_parameters(self.target.model))
        with Context(TRAINING=0):
            inputs = self._feed({str(i): array for i, array in enumerate(arrays)}, shape)
            answers, of_bases, of_motifs = (np.array(x.numpy()) for x in self._captured[shape](*inputs.values()))
        name = type(self.target.model).__name__
        return finite(answers[:n], name), Weights(finite(of_bases[:n], name), finite(of_motifs[:n], name))

    def _run(self, bases: Tensor, motifs: Tensor, *told_and_wanted: Tensor) -> tuple[Tensor, ...]:
        *told, wanted = told_and_wanted
        bases, motifs = bases.contiguous(), motifs.contiguous()
        answers = (self.target.run(bases, motifs, *told) * wanted).sum(1)
        config = self.target.model.config
        if self.target.holds_motifs or config.weighs_motifs or not config.reads_motifs:  # the ids reach no answer
            of_bases, of_motifs = answers.sum().gradient(bases)[0], motifs * 0
        else:
            of_bases, of_motifs = answers.sum().gradient(bases, motifs)
        Tensor.realize(answers, of_bases, of_motifs)
        return answers, of_bases, of_motifs


class InputGradient:
    """Gradient times input: what the answer would lose if it were linear.

        hypothetical[i, b] = g[i, b] - mean over the four bases of g[i]

    The mean is taken off as a base is always there: only differences between bases can show in data.

    Source: Shrikumar et al. 2016, arXiv:1605.01713; the correction: Majdandzic et al. 2023, Genome Biology 24:109.
    """

    def __init__(self, gradients: Gradients) -> None:
        self._gradients = gradients

    def __call__(self, asked: Asked, wanted: Float[np.ndarray, "s c"]) -> Iterator[Attribution]:
        """One attribution per sequence, of the sum of its answers weighted by `wanted`."""
        size = self._gradients.batch_size
        for first in range(0, len(wanted), size):
            some = slice(first, first + size)
            weights = self._gradients.of(asked.bases[some], asked.motif_ids[some])
            answers, found = self._gradients(weights, [x[some] for x in asked.told], wanted[some])
            for k, answer in enumerate(answers.tolist()):
                row, n = asked.one(first + k), int(asked.lengths[first + k])
                slopes = found.bases[k, :n, :4].astype(np.float64)
                hypothetical, by_motif = slopes - slopes.mean(1, keepdims=True), np.zeros(n)
                if not self._gradients.target.holds_motifs:
                    of_motifs = found.motifs[k, :n].astype(np.float64)
                    own = asked.motif_ids[first + k, :n, None].astype(np.int64)
                    by_motif = np.take_along_axis(of_motifs, own, 1)[:, 0] - of_motifs[:, 0]
                yield Attribution(answer, hypothetical, there(row, hypothetical), by_motif)


class PathGradient:
    """Gradients along straight ways from references to the sequence: what every base gives adds up to the difference.

        contributions = (x - x') * mean over the way of the gradient        sum = f(x) - mean f(x')

    With one reference this is integrated gradients by the midpoint rule. With `shuffles` the references are shuffles of
    the sequence that keep its dinucleotides, each gets an equal share of the steps, and places on the ways are spread
    evenly: expected gradients. A reference has the motif ids that annotation finds in it.

    Args:
        gradients: what gives them.
        vocabulary: motif classes of the model.
        steps: places where the gradient is taken, in all.
        shuffles: references; 0 takes one, a sequence of N.
        seed: of the shuffles.

    Source: Sundararajan et al. 2017, ICML, p. 3319; Erion et al. 2021, Nature Machine Intelligence 3:620.
    """

    def __init__(
        self, gradients: Gradients, vocabulary: MotifVocabulary, steps: int = 64, shuffles: int = 0, seed: int = 0
    ) -> None:
        self._gradients, self.vocabulary, self.seed = gradients, vocabulary, seed
        self.shuffles = shuffles
        self.steps = -(-steps // max(shuffles, 1))  # of each way

    def __call__(self, asked: Asked, wanted: Float[np.ndarray, "s c"]) -> Iterator[Attribution]:
        """One attribution per sequence, of the sum of its answers weighted by `wanted`."""
        for i in range(len(asked.bases)):
            yield self._one(asked, i, wanted[i : i + 1])

    def _one(self, asked: Asked, i: int, wanted: Float[np.ndarray, "1 c"]) -> Attribution:
        n, target = int(asked.lengths[i]), self._gradients.target
        told = [x[i : i + 1] for x in asked.told]
        here = self._gradients.of(asked.bases[i : i + 1], asked.motif_ids[i : i + 1])
        references = self._references(asked, i)
        k, total = len(references), self.steps * len(references)
        if target.holds_motifs:
            ids = np.repeat(asked.motif_ids[i : i + 1], k, axis=0)
        else:
            ids = target.motif_ids(references, self.vocabulary)
        start = self._gradients.of(references, ids)
        # each way has `steps` places; those of the k-th way are moved by a share of a step, so that all fill the line
        places = (np.arange(self.steps) + (np.arange(k)[:, None] + 0.5) / k) / self.steps
        way, at = np.repeat(np.arange(k), self.steps), places.ravel().astype(np.float32)
        contributions, by_motif, hypothetical = np.zeros(n), np.zeros(n), np.zeros((n, 4))
        for first in range(0, total, self._gradients.batch_size):
            some = slice(first, first + self._gradients.batch_size)
            a, of = at[some, None, None], way[some]
            bases = a * here.bases + (1 - a) * start.bases[of]
            motifs = start.motifs[of] if target.holds_motifs else a * here.motifs + (1 - a) * start.motifs[of]
            found = self._ask(Weights(bases, motifs), told, wanted)[1]
            slopes, begin = found.bases[:, :n].astype(np.float64), start.bases[of, :n].astype(np.float64)
            hypothetical += (slopes[:, :, :4] - (slopes * begin).sum(2, keepdims=True)).sum(0) / total
            contributions += ((here.bases[:, :n] - begin) * slopes).sum((0, 2)) / total
            if not target.holds_motifs:
                change = here.motifs[:, :n] - start.motifs[of, :n].astype(np.float64)
                by_motif += (change * found.motifs[:, :n]).sum((0, 2)) / total
        ends = Weights(*(np.concatenate(pair) for pair in zip(here, start, strict=True)))
        answers = self._answers(ends, told, wanted)
        difference = answers[0] - answers[1:].mean()
        left = abs(difference - contributions.sum() - by_motif.sum())
        return Attribution(float(answers[0]), hypothetical, contributions, by_motif,
                           float(left / max(abs(difference), LEAST)))

    def _ask(
        self, weights: Weights, told: Sequence[np.ndarray], wanted: Float[np.ndarray, "1 c"]
    ) -> tuple[Float[np.ndarray, "b"], Weights]:
        rows = len(weights.bases)
        return self._gradients(weights, [np.repeat(x, rows) for x in told], np.repeat(wanted, rows, axis=0))

    def _answers(
        self, ends: Weights, told: Sequence[np.ndarray], wanted: Float[np.ndarray, "1 c"]
    ) -> Float[np.ndarray, "k"]:
        size, found = self._gradients.batch_size, []
        for first in range(0, len(ends.bases), size):
            found.append(self._ask(Weights(*(x[first : first + size] for x in ends)), told, wanted)[0])
        answers: np.ndarray = np.concatenate(found).astype(np.float64)
        return answers

    def _references(self, asked: Asked, i: int) -> UInt8[np.ndarray, "k n"]:
        found = np.full((max(self.shuffles, 1), asked.bases.shape[1]), N, np.uint8)
        parts = [slice(0, int(asked.lengths[i]))]
        if asked.places is not None:  # the base that is hidden stays where it is
            parts = [slice(0, int(asked.places[i])), slice(int(asked.places[i]) + 1, int(asked.lengths[i]))]
        for k in range(self.shuffles):
            for j, part in enumerate(parts):
                found[k, part] = dinucleotide_shuffle(asked.bases[i, part], self.seed, i, k, *[j] * (len(parts) > 1))
        return found
