"""One step of optimisation, captured once by TinyJit and replayed: loss, gradients, clipping, AdamW."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from tinygrad import Tensor, TinyJit

from gattn_tg.ops.adamw import adamw, norm
from gattn_tg.train.config import TrainSettings
from gattn_tg.types import Bool, Float, Int

BETAS = (0.9, 0.99)  # a second moment of 100 steps: runs here last hundreds to thousands of steps, not 100,000


def cross_entropy(
    logits: Float[Tensor, "b c"],
    labels: Int[Tensor, "b"],
    valid: Bool[Tensor, "b"],
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Mean over the valid rows of -(1 - s) log p[label] - s mean_c log p[c].

    Args:
        logits: scores of the classes.
        labels: true class.
        valid: False for rows that only fill the batch.
        smoothing: s, the share of the target spread over all classes.
    """
    log_p = logits.float().log_softmax()
    picked = log_p.gather(1, labels.reshape(-1, 1)).reshape(-1)
    row = -(1.0 - smoothing) * picked - smoothing * log_p.mean(1)
    weight = valid.float()
    return (row * weight).sum() / weight.sum()


def is_motif_table(name: str) -> bool:
    """True for the learnable tables of the motif bias."""
    return name.split(".")[-1] == "motif_bias"


def is_decayed(name: str, parameter: Tensor) -> bool:
    """True for weight matrices and kernels: parameters with two axes or more that are not motif tables."""
    return parameter.ndim >= 2 and not is_motif_table(name)


class Step:
    """Calling it with one batch of tensors and a learning rate changes the parameters and gives (loss, gradient norm).

    Args:
        forward: Logits of (bases, motif_ids, lengths).
        parameters: What is learnt, by name; the names decide about weight decay and the rate of motif tables.
        settings: The [train] table.
    """

    def __init__(
        self,
        forward: Callable[[Tensor, Tensor, Tensor], Tensor],
        parameters: Mapping[str, Tensor],
        settings: TrainSettings,
    ) -> None:
        self.forward, self.settings = forward, settings
        self.groups: dict[tuple[float, float], list[int]] = {}
        for i, (name, parameter) in enumerate(parameters.items()):
            decay = settings.weight_decay if is_decayed(name, parameter) else 0.0
            rate = settings.motif_rate if is_motif_table(name) else 1.0
            self.groups.setdefault((decay, rate), []).append(i)
        self.parameters = list(parameters.values())
        # Moments must be buffers before the first step: the captured step then reads what the first one wrote.
        self.first, self.second = ([_filled(0.0, p) for p in self.parameters] for _ in range(2))
        self.powers = [Tensor(np.ones(1, np.float32), device=self.parameters[0].device) for _ in BETAS]
        Tensor.realize(*self.state().values())
        self._captured = TinyJit(self._run)

    def state(self) -> dict[str, Tensor]:
        """Everything the optimiser remembers, by name: first and second moments and the powers of the betas."""
        kept = {f"b{i + 1}": power for i, power in enumerate(self.powers)}
        for i, (m, v) in enumerate(zip(self.first, self.second, strict=True)):
            kept |= {f"m.{i}": m, f"v.{i}": v}
        return kept

    def __call__(self, inputs: Mapping[str, Tensor], rate: float) -> tuple[float, float]:
        device = inputs["bases"].device
        loss, norm = self._captured(**inputs, rate=Tensor([rate], device=device).realize())
        return float(loss.item()), float(norm.item())

    def _run(
        self, *, bases: Tensor, motif_ids: Tensor, lengths: Tensor, labels: Tensor, valid: Tensor, rate: Tensor
    ) -> tuple[Tensor, Tensor]:
        loss = cross_entropy(self.forward(bases, motif_ids, lengths), labels, valid, self.settings.label_smoothing)
        gradients = loss.gradient(*self.parameters)
        total = norm(gradients)
        scale = (self.settings.clip_norm / total.maximum(1e-12)).minimum(1.0) if self.settings.clip_norm else 1.0
        for power, beta in zip(self.powers, BETAS, strict=True):
            power.assign(power * beta)
        for (decay, multiple), members in self.groups.items():
            p, g, m, v = ([x[i] for i in members] for x in (self.parameters, gradients, self.first, self.second))
            adamw(p, g, m, v, rate * multiple, (self.powers[0], self.powers[1]), scale, BETAS, decay=decay)
        Tensor.realize(loss, total, *self.parameters, *self.state().values())
        return loss, total


def _filled(value: float, like: Tensor) -> Tensor:
    return Tensor(np.full(like.shape, value, np.float32), device=like.device)
