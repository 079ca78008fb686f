"""Bases to tokens of other projects, on tensors, with the token that each base is read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.errors import UnsupportedError
from gattn_tg.models.imported.config import FIRST, LAST, LEAST_MEAN, MASKED, PAD, UNKNOWN, ImportedConfig
from gattn_tg.models.words import word_ids
from gattn_tg.nn.pool import valid_positions
from gattn_tg.types import Bool, Int, UInt8

SPARE, SPARE_SHARE = 16, 4  # places for tokens that N makes: 16, or a quarter of the blocks


@dataclass(frozen=True)
class Tokens:
    """What an encoder reads of sequences.

    Args:
        ids: rows of the table of words.
        lengths: valid tokens of each row.
        motif_ids: of the middle base of overlapping words, and of the first base of a block that is in a motif.
        of_base: the token that each base is read from: the word whose middle it is, as near to the ends as there are
            words; the block or single base that it is in.
        first_bases: where the word of that token begins.
        is_single: bases that are tokens by themselves.
    """

    ids: Int[Tensor, "b m"]
    lengths: Int[Tensor, "b"]
    motif_ids: UInt8[Tensor, "b m"]
    of_base: Int[Tensor, "b n"]
    first_bases: Int[Tensor, "b n"]
    is_single: Bool[Tensor, "b n"]


def tokens_of(
    config: ImportedConfig, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"],
    lengths: Int[Tensor, "b"] | None, hidden: Bool[Tensor, "b n"] | None = None,
) -> Tokens:
    """The tokens of sequences.

    Args:
        config: which words.
        bases: ids A C G T N = 0..4, a word with an N is unknown; for pairs the rows of words, see `Pairs.starts`.
        motif_ids: motif id per base.
        lengths: valid bases per row; None where all are.
        hidden: bases to be named: the words that they are in are masked.

    Raises:
        UnsupportedError: weights over bases in place of ids.
    """
    b, n = bases.shape
    valid = Tensor([n], device=bases.device).expand(b) if lengths is None else lengths
    inside = valid_positions(n, valid)
    hidden = inside & False if hidden is None else hidden & inside
    motif_ids = inside.where(motif_ids, 0)
    if config.words == "pairs":
        return _pairs(config, bases, motif_ids, inside)
    make = _overlapping if config.words == "overlapping" else _blocks
    return make(config, _known(bases, inside), motif_ids, valid.clamp(0, n).cast(dtypes.int32), hidden)


def _known(bases: Tensor, inside: Tensor) -> Tensor:
    """Bases, N behind the end; weights over bases stay, `word_ids` refuses them."""
    return bases if dtypes.is_float(bases.dtype) else inside.where(bases.cast(dtypes.int32), 4)


def _overlapping(c: ImportedConfig, bases: Tensor, motif_ids: Tensor, lengths: Tensor, hidden: Tensor) -> Tokens:
    """[CLS], the word that begins at each base, [SEP]."""
    k, middle = c.word_bp, (c.word_bp - 1) // 2
    b, n = bases.shape[:2]
    n_words = n - k + 1
    words, is_masked = _words(c, bases)[:, :n_words], _windows(hidden, k)[:, :n_words]
    at = Tensor.arange(n_words, dtype=dtypes.int32)
    count = (lengths - (k - 1)).maximum(0).unsqueeze(1)
    rows = (at < count).where(is_masked.where(c.row(MASKED[c.words]), words), c.row("[PAD]"))
    rows = (at == count).where(c.row(LAST), rows)
    first = Tensor.full((b, 1), c.row(FIRST[c.words]), dtype=dtypes.int32, device=bases.device)
    last = (count == n_words).where(c.row(LAST), c.row("[PAD]"))
    of_middle = (at < count).where(motif_ids[:, middle : middle + n_words], 0)
    word = (Tensor.arange(n, dtype=dtypes.int32) - middle).maximum(0).minimum((count - 1).maximum(0))
    return Tokens(
        ids=first.cat(rows, last, dim=1).contiguous(), lengths=count.squeeze(1) + 2,
        motif_ids=of_middle.pad(((0, 0), (1, 1))).cast(dtypes.uint8).contiguous(),
        of_base=(word + 1).contiguous(), first_bases=word, is_single=word < 0,
    )  # fmt: skip


def _blocks(c: ImportedConfig, bases: Tensor, motif_ids: Tensor, lengths: Tensor, hidden: Tensor) -> Tokens:
    """<cls>, then blocks from the beginning of each stretch of known bases; what is left over, and N, base by base."""
    k, n = c.word_bp, bases.shape[1]
    at = Tensor.arange(n, dtype=dtypes.int32)
    bases = hidden.where(0, bases)  # a hidden base is there, so it does not shift the blocks
    is_known = bases < 4
    start = _latest(is_known.where(-1, at)) + 1
    end = n - 1 - _latest(is_known.flip(1).where(-1, at)).flip(1)
    is_word = (is_known & (at - start < (end - start) // k * k)).contiguous()
    first_bases = is_word.where(at - (at - start) % k, at)
    begins = ((first_bases == at) & valid_positions(n, lengths)).contiguous()
    mask = c.row(MASKED[c.words])
    words = _windows(hidden, k).where(mask, _words(c, bases))
    singles = hidden.where(mask, c.row("A") + bases)
    rows = begins.where(is_word.where(words, singles), 0)
    return _gathered(c, begins, rows, motif_ids, first_bases, is_word.logical_not())


def _pairs(c: ImportedConfig, starts: Tensor, motif_ids: Tensor, inside: Tensor) -> Tokens:
    """[CLS], the words that begin somewhere, [SEP]."""
    if starts.dtype != dtypes.int32:  # bases, or weights over them
        raise UnsupportedError("words of byte-pair encoding: expected which of them begins at each base, got bases; "
                               "what is asked here cannot be asked of such a model")
    begins = ((starts >= 0) & inside).contiguous()
    at = Tensor.arange(starts.shape[1], dtype=dtypes.int32)
    return _gathered(c, begins, begins.where(starts, 0).cast(dtypes.int32), motif_ids, _latest(begins.where(at, 0)),
                     inside & False)  # fmt: skip


def _gathered(
    c: ImportedConfig, begins: Tensor, rows: Tensor, motif_ids: Tensor, first_bases: Tensor, is_single: Tensor
) -> Tokens:
    """The words that begin at some bases, one after the other, with the tokens around them."""
    n = begins.shape[1]
    at, rows = Tensor.arange(n, dtype=dtypes.int32), rows.contiguous()
    of_base = begins.cast(dtypes.int32).cumsum(1).contiguous()
    marked = (motif_ids > 0).where(at * 256 + motif_ids.cast(dtypes.int32), n * 256).contiguous()

    m = places_of(c, n)
    place = Tensor.arange(m, dtype=dtypes.int32).reshape(m, 1)
    here = of_base.unsqueeze(1) == place
    count = begins.cast(dtypes.int32).sum(1)
    ids = here.where(rows.unsqueeze(1), 0).sum(-1).cast(dtypes.int32)
    first_marked = here.where(marked.unsqueeze(1), n * 256).min(-1) % 256
    place, end = place.squeeze(1), count.unsqueeze(1) + 1
    ids = (place == 0).where(c.row(FIRST[c.words]), (place >= end).where(c.row(PAD[c.words]), ids))
    if c.n_frame == 2:
        ids = (place == end).where(c.row(LAST), ids)
    return Tokens(
        ids=ids.contiguous(), lengths=(count + c.n_frame).minimum(m),
        motif_ids=(place == 0).where(0, first_marked).cast(dtypes.uint8).contiguous(),
        of_base=of_base.minimum(m - 1).contiguous(), first_bases=first_bases, is_single=is_single,
    )  # fmt: skip


def _words(c: ImportedConfig, bases: Tensor) -> Tensor:
    """The row of the word that begins at each base; behind the last whole word, that of the unknown one."""
    k = c.word_bp
    codes = word_ids(bases, k)[:, k - 1 :].pad(((0, 0), (0, k - 1)), value=4**k)
    return (codes == 4**k).where(c.row(UNKNOWN[c.words]), codes)


def _windows(marks: Tensor, k: int) -> Tensor:
    """Whether any of the k bases from each one on is marked."""
    n = marks.shape[1]
    wide = marks.pad(((0, 0), (0, k - 1)))
    found = marks
    for i in range(1, k):
        found = found | wide[:, i : i + n]
    return found


def _latest(values: Int[Tensor, "b n"]) -> Int[Tensor, "b n"]:
    """The largest value up to each place."""
    return values.cummax(1)[0].contiguous()


def places_of(config: ImportedConfig, n: int) -> int:
    """Tokens that there is room for among n bases, those around the words included."""
    k = LEAST_MEAN if config.words == "pairs" else config.word_bp
    return config.n_frame + n // k + k - 1 + max(SPARE, n // k // SPARE_SHARE)


def n_tokens(config: ImportedConfig, bases: UInt8[np.ndarray, "b n"], lengths: Int[np.ndarray, "b"]) -> np.ndarray:
    """Tokens of each sequence, the first and the last one included; of pairs by what `Pairs.starts` gives."""
    k = config.word_bp
    if config.words == "overlapping":
        words: np.ndarray = np.maximum(lengths - (k - 1), 0) + config.n_frame
        return words
    if config.words == "pairs":
        inside = np.arange(bases.shape[1]) < lengths[:, None]
        counted: np.ndarray = ((bases >= 0) & inside).sum(1) + config.n_frame
        return counted
    found = np.zeros(len(bases), np.int64)
    for i, (row, length) in enumerate(zip(bases, lengths, strict=True)):
        unknown = np.flatnonzero(row[:length] >= 4)
        runs = np.diff(np.concatenate([[-1], unknown, [length]])) - 1
        found[i] = len(unknown) + (runs // k + runs % k).sum() + config.n_frame
    return found
