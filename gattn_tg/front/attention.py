"""Where a trained model looks in a sequence, per layer, head and motif."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tinygrad import Tensor
from tinygrad.helpers import Context

from gattn_tg.errors import counted
from gattn_tg.explain.attention import distance_bins, layers, looks
from gattn_tg.front.asked_model import AskedModel
from gattn_tg.front.sequences import ids_of
from gattn_tg.io import Record
from gattn_tg.io.replacing import replacing_path
from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.motif import annotate
from gattn_tg.score.table import Table
from gattn_tg.types import Float, Int, UInt8


@dataclass(frozen=True, repr=False)
class MotifAttention(Table):
    """How a model spreads its attention over one sequence; every number is a mean over queries.

    Args:
        name: of the sequence.
        motifs: names of the motif ids, "none" first.
        frequency: share of the tokens that carry each motif; attention that ignores motifs gives them this share.
        share: of the attention of each layer and head that falls on each motif; sums to 1 over the motifs.
        received: by each token, as a share of all attention of a head. In a causal model the rest of 1 is what the
            start in front of the first base receives. In an imported model by each base, an equal part of what the word
            receives that it is read from; the rest of 1 goes to the tokens around the words.
        distances: share of the attention of each layer and head to tokens at the distances of each bin; sums to 1.
        distance_starts: first distance of each bin, in tokens: 0, 1, 2, 4, 8, ...
        token_bp: bases of a token; a bin for models of tracks.
    """

    name: str
    motifs: tuple[str, ...]
    frequency: Float[np.ndarray, "t"]
    share: Float[np.ndarray, "l h t"]
    received: Float[np.ndarray, "l h n"]
    distances: Float[np.ndarray, "l h d"]
    distance_starts: Int[np.ndarray, "d"]
    token_bp: int

    @property
    def summary(self) -> str:
        """How much of what."""
        layers, heads, n = self.received.shape
        return f"{self.name}, {n:,} tokens of {self.token_bp} bp, {layers} layers of {heads} heads"

    @property
    def header(self) -> list[str]:
        """Place, motif, its share, and how frequent it is."""
        return ["layer", "head", "motif", "share", "frequency"]

    def rows(self) -> Iterator[list[object]]:
        """One per layer, head and motif."""
        layers, heads, _ = self.share.shape
        for layer in range(layers):
            for head in range(heads):
                for motif, share, frequency in zip(
                    self.motifs, self.share[layer, head].tolist(), self.frequency.tolist(), strict=True
                ):
                    yield [layer, head, motif, share, frequency]


def motif_attention(model: AskedModel, record: Record) -> MotifAttention:
    """Where a model looks in one sequence that it can read; see `Trained.motif_attention`."""
    ids = ids_of(record)
    bp, skip, n_motifs = model.config.token_bp, int(model.model.is_causal), model.vocabulary.n_motifs
    bases, motif_ids, lengths = model.inputs([record], -(-len(ids) // bp) * bp)
    bases = model.model.encoded(bases, lengths)
    with model.here(), Context(TRAINING=0):
        found, tokens = [], np.zeros(0)
        for layer in layers(model.model, Tensor(bases), Tensor(motif_ids), Tensor(lengths)):
            found.append(looks(layer, n_motifs, skip))
            tokens = layer.ids.numpy()[0, skip:]
        of_base = model.model.tokens_of_bases(Tensor(bases), Tensor(lengths))
    received = np.stack([one.received[:, skip:] for one in found])
    if of_base is not None:
        received = _spread(received, of_base.numpy()[0])
    return MotifAttention(
        name=record.name, motifs=model.vocabulary.names,
        frequency=np.bincount(tokens, minlength=n_motifs)[:n_motifs] / len(tokens),
        share=np.stack([one.share for one in found]),
        received=received,
        distances=np.stack([one.distances for one in found]),
        distance_starts=distance_bins(len(tokens) + skip), token_bp=bp,
    )  # fmt: skip


def _spread(received: Float[np.ndarray, "l h m"], of_base: Int[np.ndarray, "n"]) -> Float[np.ndarray, "l h n"]:
    """What tokens receive as the bases that are read from them: equal parts of it."""
    n_bases = np.bincount(of_base, minlength=received.shape[-1])
    found: np.ndarray = (received / np.maximum(n_bases, 1))[..., of_base]
    return found


def motif_excess(
    model: AskedModel, bases: UInt8[np.ndarray, "s n"], lengths: Int[np.ndarray, "s"], batch_size: int = 16
) -> Float[np.ndarray, "s t"]:
    """The share of attention on each motif less the share of bases that carry it, of padded sequences.

    The mean over layers, heads and the queries of a sequence; many sequences at once, and so in much less time than
    `motif_attention` of each. nan for a model whose tokens are no bases.
    """
    n_motifs, found = model.vocabulary.n_motifs, np.zeros((len(bases), model.vocabulary.n_motifs))
    with model.here():
        if model.model.tokens_of_bases(Tensor(bases[:1]), Tensor(lengths[:1].astype(np.int32))) is not None:
            return np.full_like(found, np.nan)
    motif_ids = annotate(bases, model.vocabulary)
    for first in range(0, len(bases), batch_size):
        rows = np.minimum(np.arange(first, first + batch_size), len(bases) - 1)  # the last one again: one shape
        inputs = (bases[rows], motif_ids[rows], lengths[rows].astype(np.int32))
        known = np.arange(bases.shape[1]) < lengths[rows, None]
        share = np.zeros((batch_size, n_motifs))
        with model.here(), Context(TRAINING=0):
            for layer in layers(model.model, *map(Tensor, inputs)):
                mass = layer.mass(n_motifs).astype(np.float64).mean(1)
                share += (mass * known[..., None]).sum(1) / known.sum(1, keepdims=True) / len(model.model.blocks)
        for k, row in enumerate(rows.tolist()):
            counts = np.bincount(motif_ids[row, : lengths[row]], minlength=n_motifs)
            found[row] = share[k] - counts / lengths[row]
    return found


@dataclass(frozen=True, repr=False)
class MotifTable(Table):
    """What a model has learnt about motifs: the tables of its attention, centred, in nats.

    Args:
        motifs: names of the motif ids, "none" first.
        kind: of the bias: key, pair, same, ordered or between.
        tables: one per layer, by the name of its block; axes are (head where there is one per head, query motif where
            the kind has it, key motif). See `models.motif_tables.centred_tables` for what is subtracted.
    """

    motifs: tuple[str, ...]
    kind: str
    tables: dict[str, Float[np.ndarray, "..."]]

    @property
    def summary(self) -> str:
        """How much of what."""
        return f"kind {self.kind}, {counted(len(self.tables), 'layer')}, {counted(len(self.motifs), 'motif')}"

    @property
    def header(self) -> list[str]:
        """Place in the table and its entry."""
        return ["layer", "head", "query_motif", "key_motif", "nats"]

    def rows(self) -> Iterator[list[object]]:
        """One per entry; empty where the table has no such axis."""
        for layer, table in self.tables.items():
            for at, value in np.ndenumerate(table):
                axes = KINDS[self.kind].axes
                head = at[0] if len(at) > axes else ""
                query = self._named(at[-2]) if axes == 2 else ""
                yield [layer, head, query, self._named(at[-1]), float(value)]

    def _named(self, i: int) -> str:
        return self.motifs[i] if KINDS[self.kind].is_by_id and i < len(self.motifs) else str(i)


@dataclass(frozen=True, repr=False)
class Embedding(Table):
    """Hidden vectors of sequences.

    Args:
        names: of the sequences.
        vectors: for each sequence one row per token.
        token_bp: bases of a token; a bin for models of tracks; 0 where a token is a whole sequence.
    """

    names: tuple[str, ...]
    vectors: tuple[Float[np.ndarray, "n w"], ...]
    token_bp: int

    def __len__(self) -> int:
        return len(self.names)

    @property
    def means(self) -> Float[np.ndarray, "N w"]:
        """The mean vector of each sequence."""
        return np.stack([rows.mean(0) for rows in self.vectors])

    @property
    def averages(self) -> Embedding:
        """The same with one vector for each sequence, the mean of its vectors."""
        return Embedding(self.names, tuple(self.means[:, None]), 0)

    @property
    def summary(self) -> str:
        """How much of what."""
        per = f"{self.token_bp} bp" if self.token_bp else "sequence"
        return f"{counted(len(self), 'sequence')}, {self.vectors[0].shape[1]} channels, a vector per {per}"

    def to_npz(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write `vectors` of all sequences one after the other, `ends` of the sequences in them, `names`, `token_bp`.

        Raises:
            GattnError: the file exists, or cannot be written.
        """
        ends = np.cumsum([0, *map(len, self.vectors)])
        with replacing_path(path, overwrite=overwrite) as part, part.open("wb") as file:
            np.savez_compressed(file, vectors=np.concatenate(self.vectors), ends=ends, names=np.array(self.names),
                                token_bp=self.token_bp)  # fmt: skip

    @property
    def header(self) -> list[str]:
        """Place, then channels."""
        return ["name", "start", *(f"x{i}" for i in range(self.vectors[0].shape[1]))]

    def rows(self) -> Iterator[list[object]]:
        """One per token."""
        for name, vectors in zip(self.names, self.vectors, strict=True):
            for i, row in enumerate(vectors.tolist()):
                yield [name, i * self.token_bp, *row]
