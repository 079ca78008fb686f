"""Fits the part of a new head that reads GC and CpG content before anything else is trained."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.pieces import TrackPieces
from gattn_tg.models.composition import composition
from gattn_tg.models.tracks import TrackModel
from gattn_tg.types import Float

STEPS, RATE, BETAS, PENALTY = 250, 0.05, (0.9, 0.999), 1e-3
EVERY = 4  # bins: neighbours tell nearly the same


def fit_composition(
    model: TrackModel, head: str, pieces: TrackPieces, learnt: Float[np.ndarray, "N p k"]
) -> float:
    """Set a head to the least squares fit of softplus(W composition + b); what it reads of the network starts at 0.

    A network begins then where a regression on GC and CpG ends, and learns what that leaves over. With little data it
    would forget to be that simple otherwise.

    Args:
        model: its composition_bp must not be empty; changed in place.
        head: name of the head.
        pieces: the windows.
        learnt: targets of all their bins, as the loss sees them.

    Returns:
        Mean squared error of the fit over two.
    """
    shape, width = model.shape, len(pieces.intervals[0])
    margin = (width // pieces.bin_bp - pieces.n_targets) // 2
    inner = slice(margin, margin + pieces.n_targets, EVERY)
    rows = []
    for interval in pieces.intervals:
        bases, _ = pieces.genome.windows([interval], width)
        rows.append(composition(Tensor(bases), shape.bin_bp, shape.composition_bp).numpy()[0, inner])
    raw = np.concatenate(rows)
    y = learnt[:, ::EVERY].reshape(len(raw), -1)
    mean, spread = raw.mean(0), raw.std(0) + 1e-6
    x = np.concatenate([(raw - mean) / spread, np.ones((len(raw), 1), np.float32)], axis=1).astype(np.float32)
    w = np.zeros((x.shape[1], y.shape[1]), np.float32)
    w[-1] = np.log(np.expm1(np.maximum(y.mean(0), 1e-3)))
    first, second = np.zeros_like(w), np.zeros_like(w)
    error = np.float32(0)
    for step in range(1, STEPS + 1):
        z = x @ w
        t = np.exp(-np.abs(z))
        off = np.maximum(z, 0) + np.log1p(t) - y
        error = (off * off).mean() / 2
        gradient = x.T @ (off * np.where(z > 0, 1, t) / (1 + t)) / len(x)
        gradient[:-1] += PENALTY * w[:-1]
        first += (1 - BETAS[0]) * (gradient - first)
        second += (1 - BETAS[1]) * (gradient**2 - second)
        fair = first / (1 - BETAS[0] ** step), second / (1 - BETAS[1] ** step)
        w -= RATE * (1 - step / (STEPS + 1)) * fair[0] / (np.sqrt(fair[1]) + 1e-8)
    layer = model.heads[head]
    weight = np.zeros(layer.weight.shape, np.float32)
    weight[:, weight.shape[1] - raw.shape[1] :] = (w[:-1] / spread[:, None]).T
    layer.weight.assign(Tensor(weight)).realize()
    if layer.bias is not None:
        layer.bias.assign(Tensor((w[-1] - mean @ (w[:-1] / spread[:, None])).astype(np.float32))).realize()
    return float(error)
