"""A convolutional network after Basset in PyTorch, as small as the networks that it stands beside."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from gattn_tg.data import LabelledSequences
from gattn_tg.metrics.classes import measure

BATCH, RATE, DECAY = 64, 1e-3, 0.01
PASSES = 16  # of `convolutional`
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


def convolutional(parts: dict[str, LabelledSequences], seed: int, flips: bool) -> dict[str, Any]:
    """Train for some passes, with `flips` on a random strand; gives the validation AUC after each of them, and the
    test AUC of the weights with the best one, over both strands with `flips`."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng, train = np.random.default_rng(seed), parts["train"]
    net = Basset(train.width, len(train.label_names))
    letters, labels = _letters(train.bases), torch.from_numpy(train.labels.astype(np.int64))
    steps = PASSES * -(-len(train) // BATCH)
    adam = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    rates = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=steps, pct_start=0.1)
    curve: list[tuple[int, float]] = []
    tested = 0.0
    for done in range(1, PASSES + 1):
        net.train()
        for rows in np.array_split(rng.permutation(len(train)), steps // PASSES):
            turned = torch.from_numpy(rng.random(len(rows)) < flips / 2)[:, None, None]
            seen = torch.where(turned, letters[rows].flip(1, 2), letters[rows])
            loss = F.cross_entropy(net(seen), labels[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
            rates.step()
        auc = round(_auc(net, parts["valid"], flips), 4)
        if auc > max((value for _, value in curve), default=0.0):
            tested = _auc(net, parts["test"], flips)
        curve.append((done * len(train), auc))
    return {"curve": curve, "passes": PASSES, "test_auc": round(tested, 4)}


def _auc(net: nn.Module, data: LabelledSequences, flips: bool = False) -> float:
    net.eval()
    found = []
    with torch.no_grad():
        for i in range(0, len(data), ROWS):
            x = _letters(data.bases[i : i + ROWS])
            said = net(x).softmax(1)
            found.append(((said + net(x.flip(1, 2)).softmax(1)) / 2 if flips else said).numpy())
    return measure(data.labels, np.concatenate(found)).auc


def _letters(bases: np.ndarray) -> torch.Tensor:
    """One-hot, channels first; N is 0."""
    return torch.from_numpy((bases[:, None, :] == np.arange(4)[:, None]).astype(np.float32))
