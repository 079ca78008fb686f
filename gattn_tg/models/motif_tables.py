"""Motif tables in the form that may be published: centred, because raw entries are known only up to a constant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ShapeError
from gattn_tg.nn.block import AnyBlock
from gattn_tg.types import Float


def centred(table: Float[np.ndarray, "... t"], frequency: Float[np.ndarray, "t"]) -> Float[np.ndarray, "... t"]:
    """The table minus the mean of every row, weighted by how frequent the key motif is.

    T'[.., c] = T[.., c] - sum_k f[k] T[.., k] / sum_k f[k]

    A constant added to all scores of one query changes no attention, so this is all that a softmax can learn about the
    keys' motifs: positive entries draw attention compared with the average base, negative ones repel it. In nats.

    Args:
        table: last axis is the motif of the key.
        frequency: share of every motif id in the data.

    Raises:
        ShapeError: The last axis and the frequencies have different sizes.
    """
    if table.shape[-1] != frequency.size:
        raise ShapeError(
            f"centred: expected one frequency per column, got a table of {table.shape[-1]} columns and "
            f"{frequency.size} frequencies; count the motifs with the table's vocabulary"
        )
    weights = frequency / frequency.sum()
    result: np.ndarray = table - (table * weights).sum(-1, keepdims=True)
    return result


def centred_tables(
    blocks: Sequence[AnyBlock], frequency: Float[np.ndarray, "t"] | None = None
) -> dict[str, Float[np.ndarray, "..."]]:
    """The tables of the blocks that have one, centred as their kind allows, by name (`blocks.0`).

    | kind    | subtracted                                                                                |
    |---------|-------------------------------------------------------------------------------------------|
    | key     | the mean over key motifs                                                                  |
    | pair    | of each query motif, the mean over key motifs                                             |
    | ordered | the mean over both motifs; in a causal model, where keys are left, over the left motif    |
    | between | the entry of count 0, so that a table tells what motifs in between change                 |
    | same    | nothing: other keys have bias 0, which fixes the constant                                 |

    Args:
        blocks: of a trunk.
        frequency: share of each motif id among the keys; None takes all ids as equally frequent.
    """
    tables, no_ids = {}, Tensor(np.zeros((1, 1), np.uint8))  # the table is read, nothing is looked up
    for i, block in enumerate(blocks):
        layer = block.attention
        bias = layer.bias(no_ids)
        if bias is None:
            continue
        table: np.ndarray = bias.tied_table().numpy()
        share = np.full(bias.n_motifs, 1.0 / bias.n_motifs) if frequency is None else frequency
        match bias.rule.unseen:
            case "keys":
                table = centred(table, share)
            case "both":
                along_left = centred(table.swapaxes(-1, -2), share).swapaxes(-1, -2)
                flat = centred(table.reshape(len(table), -1), np.outer(share, share).ravel()).reshape(table.shape)
                table = along_left if layer.config.is_causal else flat
            case "first":
                table = table - table[..., :1]
            case "nothing":
                pass
        tables[f"blocks.{i}"] = (table if bias.per_head else table[0]).astype(np.float32)
    return tables
