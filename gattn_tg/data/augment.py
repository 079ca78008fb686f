"""Changes of training examples that leave their label true."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.data.order import shuffled
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.seq.alphabet import COMPLEMENT
from gattn_tg.types import Bool, Float, Int, UInt8

STREAM = 0x5C  # keeps these draws apart from those that order the batches


def turned_in(epoch: int, n: int, seed: int) -> Bool[np.ndarray, "n"]:
    """Which of n sequences are replaced by their reverse complements in a pass: a random half, another in every pass.

    Args:
        epoch: 0-based pass over the data.
        n: sequences.
        seed: together with `epoch` it decides.
    """
    turned: np.ndarray = shuffled(n, seed, epoch, STREAM) < n // 2
    return turned


def other_strand(
    bases: UInt8[np.ndarray, "r n"],
    motif_ids: UInt8[np.ndarray, "r n"],
    motif_complement: Sequence[int] | None,
    chosen: Bool[np.ndarray, "r"] | None = None,
    lengths: Int[np.ndarray, "r"] | None = None,
) -> tuple[UInt8[np.ndarray, "r n"], UInt8[np.ndarray, "r n"]]:
    """Windows and their motif ids as they read on the other strand; padding at the right stays where it is.

    Args:
        bases: base ids.
        motif_ids: motif ids of the same windows.
        motif_complement: `MotifVocabulary.complement`; None leaves the motif ids as they are, where they mean nothing.
        chosen: which rows to turn; None turns all.
        lengths: bases of each row without padding; None where every row is full.
    """
    if chosen is None:
        chosen = np.ones(len(bases), dtype=bool)
    if lengths is None:
        lengths = np.full(len(bases), bases.shape[1])
    if motif_complement is not None:
        motif_ids = turned(motif_ids, lengths, chosen, np.asarray(motif_complement, np.uint8))
    return turned(bases, lengths, chosen, COMPLEMENT), motif_ids


def turned(
    rows: UInt8[np.ndarray, "r n"], lengths: Int[np.ndarray, "r"], chosen: Bool[np.ndarray, "r"], mapping: np.ndarray
) -> UInt8[np.ndarray, "r n"]:
    """The chosen rows read backwards, each id replaced by `mapping`; padding at the right stays where it is.

    Args:
        rows: base ids or motif ids.
        lengths: ids of each row without padding.
        chosen: which rows to turn.
        mapping: what each id becomes on the other strand: `seq.alphabet.COMPLEMENT`, `MotifVocabulary.complement`.
    """
    if (lengths == rows.shape[1]).all():
        full = rows.copy()
        back = rows[chosen, ::-1]
        # bytes.translate maps a gigabyte per second, an index array a tenth of that.
        table = bytes(mapping.tolist()).ljust(256, b"\0")
        full[chosen] = np.frombuffer(back.tobytes().translate(table), dtype=np.uint8).reshape(back.shape)
        return full
    position = np.arange(rows.shape[1])
    source = lengths[:, None] - 1 - position
    source = np.where(chosen[:, None] & (source >= 0), source, position)
    taken = np.take_along_axis(rows, source, axis=1)
    return np.where(chosen[:, None] & (position < lengths[:, None]), mapping[taken], taken)


def turned_targets(
    targets: Float[np.ndarray, "r p k"], chosen: Bool[np.ndarray, "r"], track_pairs: Sequence[int] | None = None
) -> Float[np.ndarray, "r p k"]:
    """The targets of the chosen rows with their positions (bases or bins) in reverse order.

    Args:
        targets: rows, positions, tracks.
        chosen: which rows to turn.
        track_pairs: track that each track becomes on the other strand, for stranded assays; None keeps every track.

    Example:
        >>> targets = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
        >>> turned_targets(targets, np.array([True]), [1, 0]).tolist()
        [[[3.0, 2.0], [1.0, 0.0]]]
    """
    return np.where(chosen[:, None, None], mirrored(targets, track_pairs), targets)


def mirrored(
    values: Float[np.ndarray, "r p k"], track_pairs: Sequence[int] | None = None
) -> Float[np.ndarray, "r p k"]:
    """Values along windows as they stand on the other strand: in reverse order, tracks of a pair exchanged."""
    back = values[:, ::-1]
    return back if track_pairs is None else back[:, :, np.asarray(track_pairs)]


def complement_of(vocabulary: MotifVocabulary | None) -> tuple[int, ...] | None:
    """What motif ids are on the other strand; None where there are no motif ids."""
    return None if vocabulary is None else vocabulary.complement
