"""Tokens of weights over bases: every word in its share, so that an answer has gradients in the bases of its words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import UnsupportedError
from gattn_tg.models.imported.config import FIRST, LAST, PAD, UNKNOWN, ImportedConfig
from gattn_tg.models.imported.tokens import Tokens, tokens_of
from gattn_tg.nn.pool import valid_positions
from gattn_tg.ops.lookup import rows_at
from gattn_tg.seq.alphabet import N_BASES
from gattn_tg.types import Float, Int, UInt8


def soft_tokens(
    config: ImportedConfig, weights: Float[Tensor, "b n 5"], motifs: Float[Tensor, "b n t"] | UInt8[Tensor, "b n"],
    lengths: Int[Tensor, "b"] | None,
) -> Tokens:
    """The tokens of sequences whose bases are weights over A C G T N in place of ids.

    A word of k bases has the product of the weights of its bases, and what is left is that of the unknown word. Bases
    with a weight of 1 for N stand by themselves in blocks, as an N does; a row of nothing else is read as blocks all
    the same, so that it can be the beginning of a way to a sequence. So ids are the case of one weight of 1 per base.

    Args:
        config: which words.
        weights: as above.
        motifs: weights over motif ids in the same way: a block has a motif in the share in which it is its first one.
        lengths: valid bases per row; None where all are.

    Returns:
        Tokens whose ids are weights over the rows of the table of words, (b, m, v), and whose motif ids are weights
        (b, m, t) where a layer has a motif bias.

    Raises:
        UnsupportedError: words of byte-pair encoding, which another base cuts in other places.
    """
    c, k = config, config.word_bp
    b, n, _ = weights.shape
    if c.words == "pairs":
        raise UnsupportedError("gradients of bases: expected words of a fixed number of bases, got those of byte-pair "
                               "encoding, which another base cuts in other places; explain by mutagenesis")
    valid = Tensor([n], device=weights.device).expand(b) if lengths is None else lengths
    inside = valid_positions(n, valid)
    known = (weights[..., N_BASES - 1] < 1) & inside
    known = known.max(1, keepdim=True).where(known, inside).contiguous()
    none = (inside & False).cast(dtypes.uint8)
    # where words begin follows from the weights, but has no gradient in them
    hard = Tokens(**{name: x.detach() for name, x in vars(
        tokens_of(c, known.where(0, 4).cast(dtypes.uint8), none, valid)).items()})  # fmt: skip
    row, place = hard.ids, Tensor.arange(hard.ids.shape[1], dtype=dtypes.int32).reshape(-1, 1)
    first = (hard.of_base.unsqueeze(1) == place).where(hard.first_bases.unsqueeze(1), n - 1).min(-1).contiguous()
    of_token = [rows_at(weights.contiguous(), (first + j).minimum(n - 1)) for j in range(k)]
    is_word = (row < c.n_regular).unsqueeze(-1)
    is_single = (row == c.row("A")).unsqueeze(-1) if c.words == "blocks" else is_word & False

    words = of_token[0][..., :4]
    for bases in of_token[1:]:
        words = (words.unsqueeze(-1) * bases[..., :4].unsqueeze(-2)).flatten(-2)
    words = is_word.where(words, 0.0)
    rows = Tensor(np.eye(c.n_words - c.n_regular, dtype=np.float32), device=weights.device)
    others = (is_word | is_single).where(0.0, rows[(row - c.n_regular).maximum(0)])
    others = others + is_word.where(1 - words.sum(-1, keepdim=True), 0.0) * rows[c.row(UNKNOWN[c.words]) - c.n_regular]
    if c.words == "blocks":  # rows of A C G T N come first there
        others = others + is_single.where(of_token[0], 0.0).pad((None, None, (0, others.shape[-1] - N_BASES)))
    ids = words.cat(others, dim=-1).contiguous()  # once, and not for every channel of the embedding
    if not c.reads_motifs or not dtypes.is_float(motifs.dtype):
        return replace(hard, ids=ids)
    around = [c.row(name) for name in (FIRST[c.words], PAD[c.words], *([LAST] if c.n_frame == 2 else []))]
    is_around = Tensor.stack(*(row == name for name in around)).max(0).unsqueeze(-1)
    return replace(hard, ids=ids, motif_ids=_motifs(c, motifs.contiguous(), first, is_word, is_around))


def _motifs(c: ImportedConfig, motifs: Tensor, first: Tensor, is_word: Tensor, is_around: Tensor) -> Tensor:
    """Weights over the motif ids of tokens: of the middle base of overlapping words, of the first one in a motif."""
    n, t, k = motifs.shape[1], motifs.shape[2], c.word_bp
    of_token = [rows_at(motifs, (first + j).minimum(n - 1)) for j in range(k)]
    none = Tensor(np.eye(1, t, dtype=np.float32), device=motifs.device)
    if c.words == "overlapping":
        return is_around.where(none, of_token[(k - 1) // 2])
    found, still_none = of_token[0] * 0, of_token[0][..., :1] * 0 + 1
    for base in of_token:
        found, still_none = found + still_none * base * (1 - none), still_none * base[..., :1]
    return is_around.where(none, is_word.where(found + still_none * none, of_token[0]))
