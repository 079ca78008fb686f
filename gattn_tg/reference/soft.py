"""The motif bias of weights over motif ids, entry by entry: its definition, and its gradients."""

from __future__ import annotations

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.types import Float


def soft_bias(
    kind: str, table: Float[np.ndarray, "*shape"], weights: Float[np.ndarray, "b n t"], n_heads: int
) -> Float[np.ndarray, "b h n n"]:
    """Gives what is added to the scores.

        key: sum_c T[c] s_j[c]      pair: sum_cd s_i[c] T[c, d] s_j[d]      same: sum_c s_i[c] T[c] s_j[c]

    Args:
        kind: key, pair or same.
        table: (t,) or (h, t); (t, t) or (h, t, t) for pair.
        weights: s: how much of each motif there is at each base. A base with one weight of 1 has one motif id.
        n_heads: Query heads.

    Raises:
        ConfigError: The kind is unknown.
    """
    s, of_head = _float64(kind, table, weights)
    b, n, _ = s.shape
    found = np.empty((b, n_heads, n, n))
    for h in range(n_heads):
        t = of_head[h % len(of_head)]
        for i in range(n):
            of_query = t if kind == "key" else np.einsum("bc,cd->bd", s[:, i], t if kind == "pair" else np.diag(t))
            found[:, h, i] = (s * of_query[..., None, :]).sum(-1)
    return found


def soft_bias_backward(
    kind: str, table: Float[np.ndarray, "*shape"], weights: Float[np.ndarray, "b n t"],
    dbias: Float[np.ndarray, "b h n n"],
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "b n t"]]:
    """Gives the gradients of table and weights for one of the bias."""
    s, of_head = _float64(kind, table, weights)
    dtable, dweights = np.zeros(of_head.shape), np.zeros(s.shape)
    for h in range(dbias.shape[1]):
        at, d = h % len(of_head), dbias[:, h]
        t = of_head[at]
        if kind == "key":
            dtable[at] += np.einsum("bij,bjc->c", d, s)
            dweights += d.sum(1)[..., None] * t
            continue
        full = t if kind == "pair" else np.diag(t)
        dfull = np.einsum("bij,bic,bjd->cd", d, s, s)
        dtable[at] += dfull if kind == "pair" else np.diag(dfull)
        dweights += np.einsum("bij,cd,bjd->bic", d, full, s) + np.einsum("bij,cd,bic->bjd", d, full, s)
    return dtable.reshape(np.shape(table)), dweights


def _float64(
    kind: str, table: Float[np.ndarray, "*shape"], weights: Float[np.ndarray, "b n t"]
) -> tuple[Float[np.ndarray, "b n t"], Float[np.ndarray, "..."]]:
    """Weights, and tables with a head axis in front."""
    if kind not in ("key", "pair", "same"):
        raise ConfigError(f"reference.soft_bias kind: expected key, pair or same, got {kind!r}; name one of them")
    of_head = np.asarray(table, np.float64)
    axes = 2 if kind == "pair" else 1
    return np.asarray(weights, np.float64), of_head[None] if of_head.ndim == axes else of_head
