"""Updates of low rank in training: small matrices are learnt beside the frozen weights of a trunk, and merged into
them wherever the model is looked at or kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.data.sampler import hashed
from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.low_rank import LowRank
from gattn_tg.training.keep.state import restore, snapshot

STREAM = 0x10A  # of random numbers, which the first values come from


class Updates:
    """The updates of a run: none until `begin`.

    While steps are made, the maps compute W x + b + B A x. Inside `merged`, and after `finish`, the model is one
    without updates, whose weights are W + B A: what is validated is what is written, and what `load` gives.
    """

    def __init__(self) -> None:
        self.maps: dict[str, Linear] = {}
        self.low: dict[str, LowRank] = {}

    def begin(self, model: Any, frozen: Collection[str], rank: int, seed: int) -> None:
        """Gives an update to every affine map in the blocks of a model whose weight is frozen.

        Args:
            model: a `Trunk`.
            frozen: names of parameters.
            rank: of the updates.
            seed: of their first values.

        Raises:
            ConfigError: nothing is frozen there, or a map has no higher rank itself.
        """
        self.maps = {name: x for name, x in _maps(model.blocks, "blocks") if f"{name}.weight" in frozen}
        if not self.maps:
            raise ConfigError("train: [train] lora_rank: expected weights of blocks that were taken over, got none; "
                              "set lora_rank = 0")
        least = min(min(x.weight.shape) for x in self.maps.values())
        if rank >= least:
            raise ConfigError(f"train: [train] lora_rank: expected less than {least}, the rank of the smallest map, "
                              f"got {rank}; lower it, or set lora_rank = 0, which learns all weights")
        rng = np.random.default_rng(hashed(seed, STREAM))
        for name, x in self.maps.items():
            n_out, n_in = x.weight.shape
            self.low[name] = x.low = LowRank(n_in, n_out, rank, rng)

    @property
    def n_values(self) -> int:
        """How many numbers are learnt in them."""
        return sum(x.numel() for x in self.state().values())

    def state(self) -> dict[str, Tensor]:
        """Their values by the names that they have among the parameters of the model."""
        return {f"{name}.low.{key}": x for name, low in self.low.items() for key, x in get_state_dict(low).items()}

    def restore(self, values: Mapping[str, np.ndarray], where: str) -> None:
        """Takes over what `state` gave.

        Raises:
            FormatError: a value is missing or has another shape.
        """
        for name, x in self.state().items():
            came = values[name].shape if name in values else None
            if came != x.shape:
                raise FormatError(f"{where}: expected {name} of shape {x.shape}, got {came}; it belongs to another "
                                  "model: overwrite the run to start again")
        restore(self.state(), values)

    def weights(self) -> dict[str, Tensor]:
        """The frozen weights that have updates, by name."""
        return {f"{name}.weight": x.weight for name, x in self.maps.items()}

    @contextmanager
    def merged(self) -> Iterator[None]:
        """While it is entered, the model has no updates, but weights that contain them."""
        before = self._merge()
        try:
            yield
        finally:
            if before:
                restore(self.weights(), before)
            for name, x in self.maps.items():
                x.low = self.low[name]

    def finish(self) -> None:
        """The updates become part of the weights, and are no more."""
        self._merge()
        self.maps, self.low = {}, {}

    def _merge(self) -> dict[str, np.ndarray]:
        """Writes W + B A into the weights and takes the updates off; gives what the weights were."""
        if not self.maps:
            return {}
        before, values = snapshot(self.weights()), snapshot(self.state())
        restore(self.weights(), {
            f"{name}.weight": before[f"{name}.weight"] + values[f"{name}.low.out"] @ values[f"{name}.low.into"]
            for name in self.maps})  # fmt: skip
        for x in self.maps.values():
            x.low = None
        return before


def _maps(part: Any, name: str) -> Iterator[tuple[str, Linear]]:
    """Every affine map in a part of a model, by the name that its parameters begin with."""
    if isinstance(part, Linear):
        yield name, part
    elif isinstance(part, list | tuple):
        for i, x in enumerate(part):
            yield from _maps(x, f"{name}.{i}")
    elif hasattr(part, "__dict__") and not isinstance(part, Tensor):
        for key, x in vars(part).items():
            yield from _maps(x, f"{name}.{key}")
