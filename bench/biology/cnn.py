"""A convolutional network after Basset in PyTorch, as small as the networks that it stands beside."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from gattn_tg.data import LabelledSequences
from gattn_tg.metrics.classes import measure

BATCH, RATE, DECAY = 64, 1e-3, 0.01
ROWS = 500  # sequences that are judged at once


class Basset(nn.Sequential):
    """Three convolutions with batch norm and pooling, and two dense layers on all that is left: (b, n) -> (b, classes).

    Source: Kelley, Snoek & Rinn 2016, Genome Research 26:990; a fifth of its channels.
    """

    def __init__(self, n: int, n_classes: int) -> None:
        widths, kernels, pools = (4, 64, 40, 40), (19, 11, 7), (3, 4, 4)
        layers: list[nn.Module] = []
        for i, (kernel, pool) in enumerate(zip(kernels, pools, strict=True)):
            layers += [nn.Conv1d(widths[i], widths[i + 1], kernel, padding=kernel // 2), nn.BatchNorm1d(widths[i + 1]),
                       nn.ReLU(), nn.MaxPool1d(pool)]  # fmt: skip
            n //= pool
        super().__init__(*layers, nn.Flatten(), nn.Linear(n * widths[-1], 128), nn.ReLU(), nn.Dropout(0.3),
                         nn.Linear(128, n_classes))


def streamed(
    train: LabelledSequences, valid: LabelledSequences, test: LabelledSequences, seed: int, validations: int
) -> tuple[list[tuple[int, float]], float]:
    """See every training row once, in their order; gives (examples seen, validation AUC), and the test AUC of the
    weights with the best one."""
    torch.manual_seed(seed)
    net = Basset(train.width, len(train.label_names))
    steps = len(train) // BATCH
    adam = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    rates = torch.optim.lr_scheduler.OneCycleLR(adam, 3 * RATE, total_steps=steps)
    curve: list[tuple[int, float]] = []
    tested = 0.0
    for done in range(1, steps + 1):
        rows = slice((done - 1) * BATCH, done * BATCH)
        net.train()
        loss = F.cross_entropy(net(_letters(train.bases[rows])), torch.from_numpy(train.labels[rows].astype(np.int64)))
        adam.zero_grad()
        loss.backward()
        adam.step()
        rates.step()
        if done % max(steps // validations, 1) == 0 or done == steps:
            auc = round(_auc(net, valid), 4)
            if auc > max((value for _, value in curve), default=0.0):
                tested = _auc(net, test)
            curve.append((done * BATCH, auc))
    return curve, tested


def _auc(net: nn.Module, data: LabelledSequences) -> float:
    net.eval()
    with torch.no_grad():
        found = [net(_letters(data.bases[i : i + ROWS])).softmax(1).numpy() for i in range(0, len(data), ROWS)]
    return measure(data.labels, np.concatenate(found)).auc


def _letters(bases: np.ndarray) -> torch.Tensor:
    """One-hot, channels first; N is 0."""
    return torch.from_numpy((bases[:, None, :] == np.arange(4)[:, None]).astype(np.float32))
