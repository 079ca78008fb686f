"""One step of optimisation, captured once by TinyJit and replayed: loss, gradients, clipping, AdamW."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinygrad import Tensor, TinyJit
from tinygrad.nn.optim import AdamW, OptimizerGroup

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
        groups: dict[tuple[float, float], list[Tensor]] = {}
        for name, parameter in parameters.items():
            decay = settings.weight_decay if is_decayed(name, parameter) else 0.0
            rate = settings.motif_rate if is_motif_table(name) else 1.0
            groups.setdefault((decay, rate), []).append(parameter.is_param_(True))
        self.rates = [rate for _, rate in groups]
        self.optimizers = [
            AdamW(tensors, lr=0.0, b1=BETAS[0], b2=BETAS[1], weight_decay=decay)
            for (decay, _), tensors in groups.items()
        ]
        self.optimizer = OptimizerGroup(*self.optimizers)
        # Moments must be buffers before the first step: the captured step then reads what the first one wrote.
        Tensor.realize(*self.state().values())
        self._captured = TinyJit(self._run)

    def state(self) -> dict[str, Tensor]:
        """Everything the optimiser remembers, by name: first and second moments and the powers of the betas."""
        kept: dict[str, Tensor] = {}
        for g, optimizer in enumerate(self.optimizers):
            kept |= {f"{g}.b1": optimizer.b1_t, f"{g}.b2": optimizer.b2_t}
            for kind in ("m", "v"):
                kept |= {f"{g}.{kind}.{i}": t for i, t in enumerate(getattr(optimizer, kind))}
        return kept

    def __call__(self, inputs: Mapping[str, Tensor], rate: float) -> tuple[float, float]:
        device = inputs["bases"].device
        loss, norm = self._captured(**inputs, rate=Tensor([rate], device=device).realize())
        return float(loss.item()), float(norm.item())

    def _run(
        self, *, bases: Tensor, motif_ids: Tensor, lengths: Tensor, labels: Tensor, valid: Tensor, rate: Tensor
    ) -> tuple[Tensor, Tensor]:
        loss = cross_entropy(self.forward(bases, motif_ids, lengths), labels, valid, self.settings.label_smoothing)
        parameters = self.optimizer.params
        gradients = loss.gradient(*parameters)
        norm = Tensor.stack(*[g.float().square().sum() for g in gradients]).sum().sqrt()
        scale = (self.settings.clip_norm / norm.maximum(1e-12)).minimum(1.0) if self.settings.clip_norm else 1.0
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient * scale
        for optimizer, multiple in zip(self.optimizers, self.rates, strict=True):
            optimizer.lr = rate * multiple
        Tensor.realize(loss, norm, *self.optimizer.schedule_step())
        self.optimizer.zero_grad()
        return loss, norm
