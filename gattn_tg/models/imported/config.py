"""What distinguishes the encoders of the literature, as fields of one configuration."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from gattn_tg.models.config import TrunkConfig
from gattn_tg.nn.pool import POOLS
from gattn_tg.ops.attention.rope import Rope

Words = Literal["overlapping", "blocks", "pairs"]
BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# rows of the table of words behind those of the words of bases, as vocabularies of each kind call them
SPECIAL: dict[str, tuple[str, ...]] = {
    "overlapping": BERT,
    "blocks": ("A", "C", "G", "T", "N", "<pad>", "<unk>", "<cls>", "<mask>"),
    "pairs": BERT,
}
FIRST = {"overlapping": "[CLS]", "blocks": "<cls>", "pairs": "[CLS]"}
LAST = "[SEP]"
PAD = {"overlapping": "[PAD]", "blocks": "<pad>", "pairs": "[PAD]"}
UNKNOWN = {"overlapping": "[UNK]", "blocks": "<unk>", "pairs": "[UNK]"}
MASKED = {"overlapping": "[MASK]", "blocks": "<mask>", "pairs": "[MASK]"}
LEAST_MEAN = 3  # bases of a word of byte-pair encoding, on average, in any sequence that is read
LONGEST = 8  # bases of a word


def words_of_bases(k: int) -> list[str]:
    """All words of k bases, in the order of their rows."""
    return ["".join(word) for word in itertools.product("ACGT", repeat=k)]


@dataclass(frozen=True, kw_only=True)
class ImportedConfig(TrunkConfig):
    """What an encoder of another project is made of, beside the fields of `TrunkConfig`.

    Args:
        words: Tokens: "overlapping" words of word_bp bases, one at every base, between a first and a last token, as
            DNABERT has them; or "blocks" of word_bp bases beside each other behind a first token, with bases that are
            left over and bases around an N one by one, as the Nucleotide Transformer has them; or "pairs", words of
            byte-pair encoding between a first and a last token, as DNABERT-2 has them.
        word_bp: bases of a word.
        pieces: words of byte-pair encoding, in the order of their rows.
        merges: pairs of them that are joined, the first ones first.
        n_extra: rows of the table of words that stand for nothing here.
        mlp_width: channels inside the perceptron.
        positions: "learned", an embedding per place, "rope", or "alibi".
        n_positions: rows of the table of learned positions.
        first_position: row of the first token.
        n_types: token types, of which the first is added to every token; 0 for none.
        post_norm: normalisation behind each residual sum, as in BERT, and not in front of each branch.
        gate: activation of the gate of the perceptron: "silu", "gelu_erf", or "none" for a plain one, whose
            activation is gelu_erf.
        up_bias: whether the first map of the perceptron, and that of its gate, add a bias.
        down_bias: whether the second one does.
        eps: of the norms.
        embed_norm: whether the embeddings are normalised.
        last_norm: whether the output of the last block is.
        token_dropout: masked tokens are embedded as 0, and all are scaled for it, as in ESM-2.
    """

    words: Words = "overlapping"
    word_bp: int = 6
    pieces: tuple[str, ...] = ()
    merges: tuple[str, ...] = ()
    n_extra: int = 0
    mlp_width: int = 128
    positions: Literal["learned", "rope", "alibi"] = "learned"
    n_positions: int = 512
    first_position: int = 0
    n_types: int = 2
    post_norm: bool = True
    gate: Literal["none", "silu", "gelu_erf"] = "none"
    up_bias: bool = True
    down_bias: bool = True
    eps: float = 1e-12
    embed_norm: bool = True
    last_norm: bool = False
    token_dropout: bool = False
    motif: str = "none"
    embed_motifs: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_from(1, "word_bp", most=LONGEST)
        self.require_from(1, "mlp_width")
        self.require_from(0, "n_extra", "n_types", "first_position")
        for name, known in (("words", tuple(SPECIAL)), ("positions", ("learned", "rope", "alibi")),
                            ("gate", ("none", "silu", "gelu_erf"))):  # fmt: skip
            self.require_one_of(name, known)
        self.require(0 < self.eps < 1, "eps", "a number between 0 and 1")
        for name in ("pieces", "merges"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        fits = self.words != "pairs" or (len(set(self.pieces)) == len(self.pieces) > 0 and all(
            pair.count(" ") == 1 and pair.replace(" ", "") in self.pieces for pair in self.merges[:LONGEST]))
        self.require(fits, "pieces", "words of byte-pair encoding, each once, with all that merges make")
        self.require(not self.n_kv_heads, "n_kv_heads", "0, as many as n_heads")
        self.require(not self.window_bp, "window_bp", "0, as such an encoder sees all of its tokens")
        if self.positions == "learned":
            least = self.first_position + self.n_frame + 1
            self.require(self.n_positions >= least, "n_positions", f"at least {least}")

    @property
    def k(self) -> int:
        """Bases are hidden one by one, whatever the words, see `data.masking`."""
        return 1

    @property
    def n_frame(self) -> int:
        """Tokens around the words: the first one, and the last one of overlapping words."""
        return 1 if self.words == "blocks" else 2

    @property
    def n_words(self) -> int:
        """Rows of the table of words."""
        return self.n_regular + len(SPECIAL[self.words]) + self.n_extra

    @property
    def n_regular(self) -> int:
        """Rows of words of bases, which come first."""
        return len(self.pieces) if self.words == "pairs" else int(4**self.word_bp)

    def row(self, name: str) -> int:
        """The row of a special word."""
        return self.n_regular + SPECIAL[self.words].index(name)

    @property
    def most_tokens(self) -> int | None:
        """Tokens that there are learned positions for; None without learned positions."""
        return self.n_positions - self.first_position if self.positions == "learned" else None

    @property
    def longest_bp(self) -> int | None:
        """Bases for which there are positions; of blocks with N or bases left over fewer."""
        if self.most_tokens is None:
            return None
        most = self.most_tokens - self.n_frame
        return {"overlapping": most + self.word_bp - 1, "blocks": most * self.word_bp,
                "pairs": most * LEAST_MEAN}[self.words]  # fmt: skip

    @property
    def has_base_gradients(self) -> bool:
        """Not with byte-pair encoding, either, which another base cuts in other places."""
        return super().has_base_gradients and self.words != "pairs"

    def rope(self) -> Rope | None:
        """The rotary positions of the attention, or None."""
        return super().rope() if self.positions == "rope" else None

    def least_floats(self, positions: int, *, is_training: bool, recomputes: bool = False) -> int:
        """As `TrunkConfig.least_floats`, for the width of this perceptron and the tokens of so many bases."""
        tokens = positions // {"overlapping": 1, "blocks": self.word_bp, "pairs": LEAST_MEAN}[self.words] + 1
        inside = 2 * self.mlp_width
        per_layer = 8 * self.width + inside
        if is_training and not recomputes:
            return tokens * self.n_layers * per_layer
        return tokens * (4 * self.width + inside + (self.n_layers * self.width if is_training else 0))


@dataclass(frozen=True, kw_only=True)
class ImportedClassifierConfig(ImportedConfig):
    """What an `ImportedClassifier` is made of, beside the fields of `ImportedConfig`.

    `gattn finetune` takes every field that describes the encoder from the checkpoint, where [model] does not say it.

    Args:
        n_classes: outputs: classes to tell apart, labels, or values.
        max_length: longest sequence in bases.
        merge_strands: means nothing here: there are no counts of words.
        pool: what of a sequence the head sees: "first", the first token; "mean" of the tokens; "attention", a mean
            with learnt weights; "both", that and the maximum of every channel.
    """

    n_classes: int
    max_length: int = 512
    merge_strands: bool = False
    pool: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_from(1, "n_classes", "max_length")
        self.require_one_of("pool", ("first", *POOLS))
        most = super().longest_bp
        if most is not None:
            self.require(self.max_length <= most, "max_length", f"at most {most} bases, for which the encoder has "
                         f"learned positions ({self.most_tokens} tokens)")  # fmt: skip

    @property
    def longest_bp(self) -> int | None:
        """Bases of the longest sequence."""
        return self.max_length
