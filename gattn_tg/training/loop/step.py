"""One step of optimisation, captured by TinyJit and replayed: gradients, sums over micro-batches and ranks, AdamW."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from tinygrad import Tensor, dtypes

from gattn_tg.data.sampler import hashed
from gattn_tg.errors import FormatError
from gattn_tg.machine.recorded import recorded
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.ops import recompute, running
from gattn_tg.ops.adamw import adamw, norm
from gattn_tg.ops.descent import descend
from gattn_tg.ops.dropout import GOLDEN, drawn_from, mixed
from gattn_tg.ops.host import arrays_of, tensor_of, write
from gattn_tg.training.loop.communicator import Alone, Communicator
from gattn_tg.training.loop.parameters import is_decayed, is_linear, multiple
from gattn_tg.training.settings import TrainSettings
from gattn_tg.types import Float, Int

BETAS = (0.9, 0.99)  # a second moment of 100 steps: runs here last hundreds to thousands of steps, not 100,000
DROPOUT = 0xD209  # the stream of random numbers that is dropout's

Loss = Callable[[Inputs], tuple[Float[Tensor, ""], Float[Tensor, ""]]]


class Step:
    """Calling it with the micro-batches of a step and a learning rate changes the parameters.

    The gradient is that of the mean over all items of all micro-batches and ranks. With one micro-batch in one process
    all is one captured program; else one adds up gradients and a second one updates.

    Args:
        loss: (sum over the items in nats, number of items) of one micro-batch, float32 scalars. All that it reads
            beside the micro-batch is memory before the first step.
        parameters: What is learnt, by name, float32, on one device or replicated on several; the names decide about
            weight decay and the rate of motif tables.
        settings: The [train] table.
        communicator: The other processes; None for none.
        rates: Learning rates in multiples of the others, by name of the parameter; 1 where it is not named.

    Numerics: with precision = "bfloat16" the loss sees weight matrices and look-up tables rounded to bfloat16, and
        layers compute in the type of what they are given, with float32 sums; motif tables, biases and norms, the
        gradients' sums, the moments and the parameters themselves stay float32.
    """

    def __init__(
        self,
        loss: Loss,
        parameters: Mapping[str, Tensor],
        settings: TrainSettings,
        *,
        communicator: Communicator | None = None,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.loss, self.settings = loss, settings
        self.communicator: Communicator = communicator or Alone()
        self.names, self.parameters = list(parameters), list(parameters.values())
        self.device: Any = self.parameters[0].device
        self.owners = _owners(self.parameters, self.communicator.n_ranks if settings.shard_optimizer else 1)
        self.is_sharded = max(self.owners) > 0
        self.own = [i for i, owner in enumerate(self.owners) if owner == (self.communicator.rank * self.is_sharded)]
        self.groups: dict[tuple[float, float], list[int]] = {}  # places in `own`
        self.linear: dict[float, list[int]] = {}  # those that learn by gradient descent with momentum
        for place, i in enumerate(self.own):
            name, parameter = self.names[i], self.parameters[i]
            if is_linear(name):
                peak = settings.kmer_rate / settings.learning_rate * (rates or {}).get(name, 1.0)
                self.linear.setdefault(peak, []).append(place)
                continue
            decay = settings.weight_decay if is_decayed(name, parameter) else 0.0
            rate = multiple(name, settings) * (rates or {}).get(name, 1.0)
            self.groups.setdefault((decay, rate), []).append(place)
        # Moments must be buffers before the first step: the captured step then reads what the first one wrote.
        held = [self.parameters[i] for i in self.own]
        self.first, self.second = ([self._memory(np.zeros(p.shape, np.float32)) for p in held] for _ in range(2))
        self.powers = [self._memory(np.ones(1, np.float32)) for _ in BETAS]
        self.done = self._memory(np.zeros(1, np.uint32))  # steps: what dropout and the mean of the weights depend on
        self.means = [self._memory(p.numpy()) for p in held] if settings.ema_decay else []
        self.sums: list[Tensor] = []  # of gradients, of losses, of items; made when they are needed
        self._micros: dict[int, tuple[Tensor, Tensor]] = {}
        self._whole, self._add, self._apply = (
            recorded(run, self.parameters) for run in (self._run, self._run_add, self._run_apply)
        )  # fmt: skip
        self._is_checked = False

    def __call__(self, micros: Sequence[Inputs], rate: float) -> tuple[float, float]:
        """One step.

        Args:
            micros: The micro-batches of this rank, all of one shape, on the device of the parameters.
            rate: Learning rate.

        Returns:
            Mean loss over all items of all micro-batches and ranks, and the norm of its gradient before clipping.

        Raises:
            ConfigError: The ranks do not start from equal weights.
        """
        has_others = self.communicator.n_ranks > 1
        if has_others and not self._is_checked:
            self.communicator.require_equal("settings and weights", self._digest())
            self._is_checked = True
        speed = self._memory(np.array([rate], np.float32))
        if len(micros) == 1 and not has_others:
            loss, total = self._whole(micros[0], *self._of_micro(0), speed)
            return float(loss.item()), float(total.item())
        if not self.sums:
            self.sums = [self._memory(np.zeros(p.shape, np.float32)) for p in self.parameters]
            self.sums += [self._memory(np.zeros(1, np.float32)) for _ in range(2)]
        for number, inputs in enumerate(micros):
            self._add(inputs, *self._of_micro(number))
        if has_others:
            arrays = arrays_of(self.sums)
            self.communicator.sum_in_place(arrays)
            write(self.sums, arrays)
        loss, total = self._apply(speed)
        if self.is_sharded:
            arrays = arrays_of(self.parameters)
            self.communicator.share(self._by_owner(arrays))
            write(self.parameters, arrays)
        return float(loss.item()), float(total.item())

    def state(self) -> dict[str, Tensor]:
        """All that a resumed run needs beside the parameters: moments, powers of the betas, steps, mean weights.

        With shard_optimizer every rank must call it, and gets the parts of all.
        """
        kept = {"steps": self.done} | {f"b{i + 1}": power for i, power in enumerate(self.powers)}
        for kind, tensors in self._per_parameter().items():
            kept |= {f"{kind}.{name}": x for name, x in self._of_all(tensors).items()}
        return kept

    def restore(self, values: Mapping[str, Float[np.ndarray, "..."]]) -> None:
        """Takes over what `state` gave, here or in a process with another number of ranks.

        Raises:
            FormatError: A value is missing or has another shape.
        """
        targets = {"steps": self.done} | {f"b{i + 1}": power for i, power in enumerate(self.powers)}
        for kind, tensors in self._per_parameter().items():
            targets |= {f"{kind}.{self.names[i]}": x for i, x in zip(self.own, tensors, strict=True)}
        for name, x in targets.items():
            came = None if name not in values else tuple(values[name].shape)
            if came != x.shape:
                raise FormatError(
                    f"optimizer state: expected {name} of shape {x.shape}, got {came}; "
                    "it belongs to another model or to other settings: start without resuming"
                )
        write(list(targets.values()), [values[name] for name in targets])
        self._is_checked = False

    def averaged(self) -> dict[str, Tensor] | None:
        """The exponential mean of the weights by name, or None without `ema_decay`; every rank must call it."""
        return self._of_all(self.means) if self.settings.ema_decay else None

    def _run(self, inputs: Inputs, draw: Tensor, _: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
        total, count, gradients = self._differentiate(inputs, draw)
        return self._update(gradients, total, count, rate)

    def _run_add(self, inputs: Inputs, draw: Tensor, fresh: Tensor) -> None:
        total, count, gradients = self._differentiate(inputs, draw)
        running.add(self.sums, [*gradients, total.reshape(1), count.reshape(1)], fresh)
        Tensor.realize(*self.sums)

    def _run_apply(self, rate: Tensor) -> tuple[Tensor, Tensor]:
        *gradients, total, count = self.sums
        return self._update(gradients, total.reshape(()), count.reshape(()), rate)

    def _differentiate(self, inputs: Inputs, draw: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Sum of the losses, number of items, gradients of the sum."""
        with self._rounded() as parameters, drawn_from(mixed(draw[:2] + self.done * GOLDEN), draw[2:]):
            if not self.settings.recompute:
                total, count = self.loss(inputs)
                return total, count, total.gradient(*parameters)
            with recompute.recomputing() as stages:
                total, count = self.loss(inputs)
                return total, count, recompute.gradients(stages, total, parameters)

    def _update(self, gradients: Sequence[Tensor], total: Tensor, count: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
        settings = self.settings
        one = 1.0 / count.float().maximum(1.0)
        length = norm(gradients) * one
        scale = one * (settings.clip_norm / length.maximum(1e-12)).minimum(1.0) if settings.clip_norm else one
        for power, beta in zip(self.powers, BETAS, strict=True):
            power.assign(power * beta)
        for (decay, times), members in self.groups.items():
            p, g = ([x[self.own[i]] for i in members] for x in (self.parameters, gradients))
            m, v = ([x[i] for i in members] for x in (self.first, self.second))
            adamw(p, g, m, v, rate * times, (self.powers[0], self.powers[1]), scale, betas=BETAS, decay=decay)
        for peak, members in self.linear.items():
            p, g = ([x[self.own[i]] for i in members] for x in (self.parameters, gradients))
            descend(p, g, [self.first[i] for i in members], rate * peak, scale)
        self.done.assign(self.done + 1)
        if self.means:
            # a short memory at first: the initial weights are no part of the mean for long
            age = self.done.float()
            decay = ((age + 1) / (age + 10)).minimum(settings.ema_decay)
            running.follow(self.means, [self.parameters[i] for i in self.own], decay)
        loss = total * one
        Tensor.realize(loss, length, *self.parameters, *self.first, *self.second, *self.powers, self.done, *self.means)
        return loss, length

    @contextmanager
    def _rounded(self) -> Iterator[list[Tensor]]:
        """The parameters; inside, those with two axes or more are what bfloat16 keeps of them."""
        masters = [Tensor(p.uop) for p in self.parameters]
        if self.settings.precision == "bfloat16":
            for name, p, master in zip(self.names, self.parameters, masters, strict=True):
                if is_decayed(name, p):
                    p.replace(master.cast(dtypes.bfloat16))
        try:
            yield masters
        finally:
            for p, master in zip(self.parameters, masters, strict=True):
                p.replace(master)

    def _of_micro(self, number: int) -> tuple[Int[Tensor, "3"], Float[Tensor, "1"]]:
        """What dropout draws from in a micro-batch, and whether it is the first one."""
        if number not in self._micros:
            # its place in the step over all ranks: however the rows are shared out, each has the same mask
            place = number * self.communicator.n_ranks + self.communicator.rank
            bits = hashed(self.settings.seed, DROPOUT)
            draw = self._memory(np.array([bits & 0xFFFFFFFF, bits >> 32, place], np.uint32))
            self._micros[number] = draw, self._memory(np.array([number == 0], np.float32))
        return self._micros[number]

    def _memory(self, values: np.ndarray) -> Tensor:
        """Values on the device of the parameters, on each one where there are several."""
        return tensor_of(values, self.device)

    def _per_parameter(self) -> dict[str, list[Tensor]]:
        kinds = {"m": self.first, "v": self.second}
        return kinds | {"mean": self.means} if self.settings.ema_decay else kinds

    def _of_all(self, own: Sequence[Tensor]) -> dict[str, Tensor]:
        """One tensor per parameter, those of the other ranks included."""
        if not self.is_sharded:
            return dict(zip(self.names, own, strict=True))
        arrays = [np.zeros(p.shape, np.float32) for p in self.parameters]
        for i, x in zip(self.own, arrays_of(own), strict=True):
            arrays[i] = x.copy()
        self.communicator.share(self._by_owner(arrays))
        return {name: Tensor(x, device="CPU") for name, x in zip(self.names, arrays, strict=True)}

    def _by_owner(self, arrays: Sequence[np.ndarray]) -> dict[int, list[np.ndarray]]:
        owned: dict[int, list[np.ndarray]] = {}
        for owner, array in zip(self.owners, arrays, strict=True):
            owned.setdefault(owner, []).append(array)
        return owned

    def _digest(self) -> str:
        content = hashlib.sha256(repr(self.settings).encode())
        for name, array in zip(self.names, arrays_of(self.parameters), strict=True):
            content.update(name.encode() + array.tobytes())
        return content.hexdigest()


def _owners(parameters: Sequence[Tensor], n: int) -> list[int]:
    """The rank that keeps the moments of each parameter: the largest first, each to the rank that has least so far."""
    load, owners = [0] * n, [0] * len(parameters)
    for i in sorted(range(len(parameters)), key=lambda i: -parameters[i].numel()):
        owners[i] = load.index(min(load))
        load[owners[i]] += parameters[i].numel()
    return owners
