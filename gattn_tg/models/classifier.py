"""A transformer that says something of a whole DNA sequence: its class, its labels, or measured values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import FormatError, ShapeError
from gattn_tg.models.config import MAX_MOTIFS, NO_MOTIF, TrunkConfig
from gattn_tg.models.kind import Kind
from gattn_tg.models.motif_evidence import MotifEvidence
from gattn_tg.models.readouts.sequences import ClassReadout, LabelReadout, ValueReadout
from gattn_tg.models.trunk import Trunk
from gattn_tg.nn.blend import LINEAR, NETWORK, PLACED, Blend
from gattn_tg.nn.convolution import Convolution
from gattn_tg.nn.embedding import Embedding
from gattn_tg.nn.evidence import Evidence
from gattn_tg.nn.kmers import LONGEST, Kmers
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.motif_filters import MotifFilters
from gattn_tg.nn.motif_pairs import n_pairs
from gattn_tg.nn.placed import LONGEST as LONGEST_PLACED
from gattn_tg.nn.placed import Placed
from gattn_tg.nn.pool import POOLS, inside, pool
from gattn_tg.nn.soft_motifs import SOFT
from gattn_tg.nn.strengths import summary
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.seq.alphabet import N_BASES
from gattn_tg.types import Float, Int, UInt8

POSITIONS = ("rope", "learned", "both", "none")
MAX_PAIRED = 32  # motifs: 57,344 numbers of 1,024 sequences, with which their linear model begins, are 235 MB
MAX_FILTERS = 4096  # more than there are matrices of all species together
# Strengths of motifs beside counts of words, both brought to length 1: of logistic regressions on both, those with .3
# to .5 were the best on the validation rows of three sets (bench/biology/study_words.py, "gapped, motifs").
BESIDE_WORDS = 0.4


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(TrunkConfig):
    """What a `SequenceClassifier` is made of, beside the fields of `TrunkConfig`.

    Args:
        n_classes: outputs: classes to tell apart, labels, or values.
        positions: rope, learned (an embedding per position, for windows aligned to a site), both, or none.
        max_length: longest sequence in bases; learned positions need it.
        stem_kernel: positions seen by the convolution stem (odd), 0 for no stem.
        pool: attention (learnt weights), mean, or both: attention and the maximum of every channel beside each other.
        kmers: bases of the words (2, 4, 6 or 8) whose counts a linear model beside the network sees; 0 for none.
        kmer_gaps: the halves of a word may stand up to so many bases apart.
        merge_strands: a word and its reverse complement share a weight; so it is where training turns strands
            (`reverse_complement`).
        placed: bases of the words (1, 2 or 3) that a linear model beside the network sees, each at its place; 0 for
            none. For sequences aligned to a site, as splice junctions: all have one length, and other lengths are
            refused. With `reverse_complement` a sequence counts turned about its middle as well.
        filters: motifs whose strength at every base is computed; 0 for none, or for as many as [data] `matrices` has.
            They begin as those matrices, or as the matrices of the vocabulary, the others at random. A linear model
            beside the network sees the strongest site and the sum of each. Strengths take the place of motif ids:
            `embed_motifs` makes them an input, `motif` (key, pair, same) a bias; then there are 256 at most.
        filter_width: bases of such a motif (odd).
        motif_pairs: a linear model beside the network sees which two of the first so many filters stand how far apart,
            in which order and on which strands; 0 for none, 32 at most. Of more filters, those become the first that
            tell the training set best together. Of 16 motifs these are 14,336 numbers for each sequence.
        pair_reach_bp: two sites that are so far apart or further are no pair; rounded up to the end of a group of
            distances: 8, 12, 16, 24, 32, 48, ...
        motif_counts: a linear model beside the network sees of how many bases each motif class is, and whether it is
            there at all. Not with filters, whose strengths such a model sees in any case.
        apart: the network, the linear models on words and motifs, and that of `placed` learn each from its own error,
            and each keeps the weights with its own best validation. The answer is a weighted sum of them; the weights
            are chosen on the validation set. Else the network learns what the linear models leave open, which of few
            rows is nothing.
    """

    n_classes: int
    positions: str = "rope"
    max_length: int = 512
    stem_kernel: int = 9
    pool: str = "attention"
    kmers: int = 0
    kmer_gaps: int = 0
    merge_strands: bool = False
    placed: int = 0
    filters: int = 0
    filter_width: int = 15
    motif_pairs: int = 0
    pair_reach_bp: int = 192
    motif_counts: bool = False
    apart: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_from(1, "n_classes", "max_length")
        self.require_one_of("positions", POSITIONS)
        self.require_one_of("pool", POOLS)
        self.require(self.kmers % 2 == 0 and 0 <= self.kmers <= LONGEST, "kmers", "2, 4, 6 or 8 bases, or 0 for none")
        self.require_from(0, "kmer_gaps", most=self.max_length)
        self.require_from(0, "placed", most=min(LONGEST_PLACED, self.max_length))
        most = MAX_MOTIFS if self.reads_motifs else MAX_FILTERS
        others = ', or motif = "none" and embed_motifs = false' if self.filters > most == MAX_MOTIFS else ""
        self.require(0 <= self.filters <= most, "filters", f"from 0 to {most}{others}")
        self.require(self.filter_width % 2 == 1, "filter_width", "an odd number of bases")
        is_soft = self.motif in (NO_MOTIF, *SOFT)
        kinds = ", ".join((*SOFT, NO_MOTIF))
        self.require(is_soft or not self.filters, "motif", f"one of {kinds}, as there are filters")
        self.require_from(0, "motif_pairs", most=MAX_PAIRED)
        self.require_from(2, "pair_reach_bp")
        self.require(not (self.filters and self.motif_counts), "motif_counts", "false, as there are filters")

    def require_parts(self) -> None:
        """Raise ConfigError where parts are to learn apart and there is but one, or there are fewer filters than pairs.

        A file of matrices can add filters, so this is asked when they are known.
        """
        self.require(self.motif_pairs <= self.filters, "motif_pairs", f"at most filters, {self.filters}")
        self.require(len(self.parts) > 1 or not self.apart, "apart", "false, or a linear model beside the network: "
                     "kmers, placed, filters or motif_counts")  # fmt: skip

    @property
    def parts(self) -> tuple[str, ...]:
        """What answers: the network and what there is beside it; with `apart` each learns by itself."""
        counts = self.kmers or self.filters or self.motif_counts
        return NETWORK, *((LINEAR,) if counts else ()), *((PLACED,) if self.placed else ())

    @property
    def longest_bp(self) -> int | None:
        """Bases of the longest sequence."""
        return self.max_length

    @property
    def only_bp(self) -> int | None:
        """Bases of every sequence, where words are seen at their places."""
        return self.max_length if self.placed else None

    @property
    def has_base_gradients(self) -> bool:
        """Not where words are counted, either."""
        return super().has_base_gradients and not self.kmers

    @property
    def reads_motifs(self) -> bool:
        """Also where only the linear model does."""
        return super().reads_motifs or self.motif_counts

    @property
    def n_weights(self) -> int:
        """One for each filter, which take the place of motif ids."""
        return self.filters or self.n_motifs

    @property
    def needs_summary_alone(self) -> bool:
        """True where strengths of all filters at every base are needed for their `motif_summary` alone."""
        return self.filters > 0 and not self.reads_motifs

    @property
    def weighs_motifs(self) -> bool:
        """True with filters."""
        return self.filters > 0

    def rope(self) -> Rope | None:
        """The rotary positions of the attention; None where positions are learned, or none."""
        return super().rope() if self.positions in ("rope", "both") else None


class SequenceClassifier(MotifEvidence, Trunk):
    """Embed bases and motif ids, see neighbours (stem), attend with motif bias, pool, answer.

    With `kmers`, what a linear model on counts of words says is added to the answers; with `placed`, what one says that
    sees every word at its place, with `motif_counts` one that sees how much of each motif class there is. With
    `filters`, strengths of motifs take the place of motif ids, and what a linear model on the strength of each motif in
    the whole sequence says is added, too; with `motif_pairs` what one says that sees which two motifs stand at which
    distance. With `apart` the answer is a weighted sum of what the network, the linear model of `placed` and the other
    linear models together say.

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
        scale = BESIDE_WORDS if c.kmers else 1.0
        paired = n_pairs(c.motif_pairs, c.pair_reach_bp)
        self.evidence = Evidence(2 * classes, c.n_classes, scale) if classes else None
        self.pairs = Evidence(paired, c.n_classes, scale) if c.motif_pairs else None
        self.kmers = Kmers(c.kmers, c.kmer_gaps, c.n_classes, c.merge_strands) if c.kmers else None
        self.placed = Placed(c.placed, c.max_length, c.n_classes) if c.placed else None
        self.blend = Blend(len(c.parts)) if c.apart else None

    def __call__(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"],
        found: Float[Tensor, "b 2t"] | None = None,
    ) -> Float[Tensor, "b c"]:
        """One output for each class, label or value; what they mean says the readout.

        Args:
            bases: ids A C G T N = 0..4, padded with N.
            motif_ids: motif id per base, padded with 0.
            lengths: valid bases per sequence; padding changes nothing.
            found: the `motif_summary` of the sequences where it is known already; None computes it.

        Raises:
            ShapeError: a sequence longer than the positions the model has learnt.
        """
        said = list(self.parts(bases, motif_ids, lengths, found).values())
        return sum(said[1:], said[0]) if self.blend is None else self.blend(said)

    def parts(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"],
        found: Float[Tensor, "b 2t"] | None = None,
    ) -> dict[str, Float[Tensor, "b c"]]:
        """What each part says (`ClassifierConfig.parts`), in their order. Arguments as of a call."""
        x, motifs = self.tokens(bases, motif_ids, lengths)
        said = {NETWORK: self.head(self.pool(self.attend(x, motifs, lengths), lengths))}
        counted = []
        if self.evidence is not None:
            counted.append(self.evidence(summary(self.strengths(motifs), lengths) if found is None else found))
        if self.pairs is not None:
            counted.append(self.pairs(self.pair_numbers(bases, lengths)))
        if self.kmers is not None:
            counted.append(self.kmers(bases, lengths))
        if counted:
            said[LINEAR] = sum(counted)
        if self.placed is not None:
            said[PLACED] = self.placed(bases)
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
    ClassifierConfig, SequenceClassifier, ClassReadout, heads=("head", "kmers", "placed", "evidence", "pairs", "blend"),
    others=(LabelReadout, ValueReadout),
)  # fmt: skip
