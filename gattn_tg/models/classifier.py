"""A transformer that says something of a whole DNA sequence: its class, its labels, or measured values."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import FormatError, ShapeError
from gattn_tg.models.config import ClassifierConfig
from gattn_tg.models.forward import Forward
from gattn_tg.models.kind import Kind
from gattn_tg.models.readouts import ClassReadout, LabelReadout, ValueReadout
from gattn_tg.models.trunk import Trunk
from gattn_tg.nn.blend import Blend
from gattn_tg.nn.convolution import Convolution
from gattn_tg.nn.embedding import Embedding
from gattn_tg.nn.kmers import Kmers
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.motif_filters import MotifFilters
from gattn_tg.nn.placed import Placed
from gattn_tg.nn.pool import inside, pool
from gattn_tg.nn.strengths import Evidence, summary
from gattn_tg.seq.alphabet import N_BASES
from gattn_tg.types import Float, Int, UInt8

ROWS = 64  # sequences whose motifs are found at once
# Strengths of motifs beside counts of words, both brought to length 1: of logistic regressions on both, those with .3
# to .5 were the best on the validation rows of three sets (bench/biology/study_words.py, "gapped, motifs").
BESIDE_WORDS = 0.4


class SequenceClassifier(Trunk):
    """Embed bases and motif ids, see neighbours (stem), attend with motif bias, pool, answer.

    With `kmers`, what a linear model on counts of words says is added to the answers; with `placed`, what one says that
    sees every word at its place, with `motif_counts` one that sees how much of each motif class there is. With
    `filters`, strengths of motifs take the place of motif ids, and what a linear model on the strength of each motif in
    the whole sequence says is added, too. With `apart` the answer is a weighted
    mean of what the network says and of what these linear models say together.

    Args:
        config: sizes and choices.
        seed: of the initial weights; drawn by NumPy, so they are the same on every device.
    """

    config: ClassifierConfig
    reads_lengths = True

    def __init__(self, config: ClassifierConfig, seed: int = 0) -> None:
        super().__init__(config)
        c, rng = config, np.random.default_rng(seed)
        self.embed_bases = Embedding(N_BASES, c.width, rng)
        self.make_embedding(rng)
        self.embed_positions = (
            # as large as the bases: with a tenth of it, training needs three times the epochs to find a fixed site
            Embedding(c.max_length, c.width, rng) if c.positions in ("learned", "both") else None
        )
        self.stem = Convolution(c.width, c.width, c.stem_kernel, rng) if c.stem_kernel else None
        self.make_blocks(rng)
        self.pool = pool(c.pool, c.width, rng)
        self.filters = MotifFilters(c.filters, c.filter_width, rng) if c.filters else None
        self.head = Linear(c.width * self.pool.times, c.n_classes, rng, gain=0.1)
        classes = c.filters or (c.n_motifs - 1 if c.motif_counts else 0)
        self.evidence = Evidence(classes, c.n_classes, BESIDE_WORDS if c.kmers else 1.0) if classes else None
        self.kmers = Kmers(c.kmers, c.kmer_gaps, c.n_classes, c.merge_strands) if c.kmers else None
        self.placed = Placed(c.placed, c.max_length, c.n_classes) if c.placed else None
        self.blend = Blend() if c.apart else None

    def __call__(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]
    ) -> Float[Tensor, "b c"]:
        """One output for each class, label or value; what they mean says the readout.

        Args:
            bases: ids A C G T N = 0..4, padded with N.
            motif_ids: motif id per base, padded with 0.
            lengths: valid bases per sequence; padding changes nothing.

        Raises:
            ShapeError: a sequence longer than the positions the model has learnt.
        """
        network, *linear = self.parts(bases, motif_ids, lengths)
        return self.blend(network, sum(linear)) if self.blend is not None else sum(linear, network)

    def parts(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]
    ) -> list[Float[Tensor, "b c"]]:
        """What the network says, and then what each linear model beside it does. Arguments as of a call."""
        x, motifs = self.tokens(bases, motif_ids, lengths)
        said = [self.head(self.pool(self.attend(x, motifs, lengths), lengths))]
        if self.evidence is not None:
            said.append(self.evidence(self.strengths(motifs), lengths))
        if self.placed is not None:
            said.append(self.placed(bases))
        if self.kmers is not None:
            said.append(self.kmers(bases, lengths))
        return said

    def encoded(
        self, bases: UInt8[np.ndarray, "b n"], lengths: Int[np.ndarray, "b"] | None = None
    ) -> UInt8[np.ndarray, "b n"] | Int[np.ndarray, "b n"]:
        """The bases.

        Raises:
            FormatError: with `placed`, a sequence of another length than those of training.
        """
        only = self.config.only_bp
        if only is not None and lengths is not None and (other := lengths[lengths != only]).size:
            raise FormatError(f"placed: expected sequences of {only} bases, all aligned to the same place, got one of "
                              f"{other[0]}; cut windows of {only} bases around the site, or train with placed = 0")
        return bases

    def strengths(self, motifs: UInt8[Tensor, "b n"] | Float[Tensor, "b n t"]) -> Float[Tensor, "b n t"]:
        """Strengths of motifs as they are; of ids 1 at the bases of a class and 0 elsewhere, without those of none."""
        if self.filters is not None:
            return motifs
        return motifs.unsqueeze(-1) == Tensor.arange(1, self.config.n_motifs, dtype=dtypes.uint8)

    def calibrate(
        self, bases: UInt8[np.ndarray, "r n"], motif_ids: UInt8[np.ndarray, "r n"], lengths: Int[np.ndarray, "r"]
    ) -> Float[np.ndarray, "r 2t"]:
        """Take how much of every motif is in these sequences as usual; with `filters` or `motif_counts`.

        Gives how unusual each sequence is, in standard deviations.
        """
        filters, evidence = self.filters, self.evidence
        assert evidence is not None

        def found(bases: Tensor, motif_ids: Tensor, lengths: Tensor) -> Tensor:
            return summary(self.strengths(motif_ids if filters is None else filters(bases, lengths)), lengths)

        return evidence.calibrate(Forward(self, ROWS, run=found)(bases, motif_ids, lengths))

    def effects(self) -> Float[np.ndarray, "2t c"]:
        """What one standard deviation more of each motif adds to the answers (`Evidence.effects`)."""
        assert self.evidence is not None
        alone = self.evidence.effects()
        return alone if self.blend is None else alone * float(self.blend.weight.numpy()[1])

    def tokens(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"] | None = None
    ) -> tuple[Float[Tensor, "b n w"], UInt8[Tensor, "b n"]]:
        """Bases, motif ids and positions, seen through the stem; strengths (b, n, t) for motif ids with `filters`."""
        n = bases.shape[1]
        if self.filters is not None:
            motif_ids = self.filters(bases, lengths)
        x = self.with_motifs(self.embed_bases(bases), motif_ids)
        if self.embed_positions is not None:
            if n > self.config.max_length:
                raise ShapeError(f"SequenceClassifier: expected sequences of at most "
                                 f"max_length={self.config.max_length} bases, got one of {n}; shorten it, or "
                                 "train with positions=rope")
            x = x + self.embed_positions.weight[:n]
        if self.stem is not None:
            x = x + self.stem(inside(x, lengths)).gelu()
        return x, motif_ids


KIND = Kind(
    ClassifierConfig, SequenceClassifier, ClassReadout, heads=("head", "kmers", "placed", "evidence", "blend"),
    others=(LabelReadout, ValueReadout),
)  # fmt: skip
