"""A masked language model of another project: DNABERT, Nucleotide Transformer, AgroNT."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import UnsupportedError
from gattn_tg.models.imported.config import ImportedConfig
from gattn_tg.models.imported.tokens import Tokens
from gattn_tg.models.imported.trunk import ImportedTrunk
from gattn_tg.models.kind import Kind
from gattn_tg.models.readouts.bases import MaskedReadout
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.norm import LayerNorm
from gattn_tg.ops.lookup import rows_at
from gattn_tg.types import Float, Int, UInt8

LEAST = -1e30  # in place of minus infinity, of which a softmax over nothing would make no number


class ImportedEncoder(ImportedTrunk):
    """Make the tokens of another project of bases, attend, name the bases that were hidden.

    Args:
        config: sizes and choices.
        seed: of the initial weights, which an import replaces.
    """

    def __init__(self, config: ImportedConfig, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        super().__init__(config, rng)
        c = config
        self.to_hidden = Linear(c.width, c.width, rng)
        self.hidden_norm = LayerNorm(c.width, c.eps)
        self.to_words = Linear(c.width, c.n_words, rng, gain=0.1)

    def __call__(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"],
        places: Int[Tensor, "b p"],
    ) -> Float[Tensor, "b p 4"]:
        """Log probabilities of A C G T, up to a constant of each place, at some places of every row.

        Every word that has one of the places in it is masked. The token of a place names a word; the other bases of
        this word are known, so only words that agree with them count, and those that are hidden too are summed over.

        Args:
            bases: ids A C G T N = 0..4; what stands at the places does not matter.
            motif_ids: motif id per base, found in the hidden bases, or it would tell what they were.
            lengths: valid bases per row; padding changes nothing.
            places: indices 0..n-1 of the bases to name.

        Raises:
            UnsupportedError: words of byte-pair encoding.
        """
        if self.config.words == "pairs":
            raise UnsupportedError("hidden bases: expected words of a fixed number of bases, got those of byte-pair "
                                   "encoding, which a hidden base cuts in other places; embed or fine-tune instead")
        n = bases.shape[1]
        at = Tensor.arange(n, dtype=dtypes.int32)
        hidden = (places.unsqueeze(-1) == at).max(1)
        read = self.read(bases, motif_ids, lengths, hidden)
        x = rows_at(self.of_tokens(read.ids, read.motif_ids, read.lengths), _at(read.of_base, places))
        return self._bases(self.words_of(x), hidden.where(4, bases.cast(dtypes.int32)), read, places)

    def words_of(self, x: Float[Tensor, "b p w"]) -> Float[Tensor, "b p v"]:
        """Logits of the words, by the hidden vectors of tokens."""
        return self.to_words(self.hidden_norm(self.to_hidden(x, activation="gelu_erf")))

    def _bases(self, logits: Tensor, bases: Tensor, read: Tokens, places: Tensor) -> Tensor:
        """Of logits of words those of the base at each place."""
        k, n_whole = self.config.word_bp, 4**self.config.word_bp
        first, codes = _at(read.first_bases, places), Tensor.arange(n_whole, dtype=dtypes.int32)
        whole = logits.float()[..., :n_whole]  # not made contiguous: a loss that was read would end there
        letter, agrees = codes * 0, whole == whole
        for j in range(k):
            digit = codes // 4 ** (k - 1 - j) % 4
            known = _at(bases, (first + j).minimum(bases.shape[1] - 1)).unsqueeze(-1)
            is_here = (first + j == places).unsqueeze(-1)
            agrees = agrees & ((known >= 4) | (known == digit))
            letter = is_here.where(digit, letter)
        named = [(agrees & (letter == base)).where(whole, LEAST).logsumexp(-1) for base in range(4)]
        words = Tensor.stack(*named, dim=-1)
        if self.config.words == "overlapping":
            return words
        single = self.config.row("A")
        return _at(read.is_single.cast(dtypes.int32), places).unsqueeze(-1).bool().where(
            logits.float()[..., single : single + 4], words)


def _at(values: Int[Tensor, "b n"], places: Int[Tensor, "b p"]) -> Int[Tensor, "b p"]:
    """values[b, places[b, i]]."""
    is_here = places.unsqueeze(-1) == Tensor.arange(values.shape[1], dtype=dtypes.int32)
    return is_here.where(values.unsqueeze(1), 0).sum(-1).cast(dtypes.int32).contiguous()


KIND = Kind(ImportedConfig, ImportedEncoder, MaskedReadout, inherits=ImportedConfig)
