"""Where a run stands: what a checkpoint holds beside the model, so that a resumed run equals an uninterrupted one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import FormatError
from gattn_tg.io.strict_json import parse
from gattn_tg.models.safetensors import pack, require_finite, unpack
from gattn_tg.ops.host import arrays_of, write
from gattn_tg.types import Float

PROGRESS, STATE = "progress.json", "state.safetensors"
KINDS: dict[str, Any] = {"int": int, "float": int | float, "str": str, "list[float] | None": list | None}


@dataclass
class Progress:
    """Position in the run.

    Args:
        step: Steps done.
        n_validations: Validations done.
        best: Monitored metric (minus it where lower is better) and minus the loss of the best validation, compared in
            this order; None before the first. Of parts that learn apart the best metric of each.
        best_step: Steps done at the best validation, of parts that learn apart at the last one that was best for one.
        best_validation: Its number, from 1.
        loss_sum: Sum of the losses since the last validation.
        n_losses: How many they are.
        line_sum: Sum of the losses since the last line of training.
        n_line: How many they are.
        seconds: Time spent so far, in all processes of the run.
        fingerprint: What must be equal for a resume: settings, model and data.
    """

    step: int = 0
    n_validations: int = 0
    best: list[float] | None = None
    best_step: int = 0
    best_validation: int = 0
    loss_sum: float = 0.0
    n_losses: int = 0
    line_sum: float = 0.0
    n_line: int = 0
    seconds: float = 0.0
    fingerprint: str = ""

    def count(self, loss: float) -> None:
        """One more step, with this loss."""
        self.step += 1
        self.loss_sum, self.n_losses = self.loss_sum + loss, self.n_losses + 1
        self.line_sum, self.n_line = self.line_sum + loss, self.n_line + 1

    def take_line(self) -> float:
        """Mean loss since the last line of training; the next one begins anew."""
        mean = self.line_sum / max(self.n_line, 1)
        self.line_sum, self.n_line = 0.0, 0
        return mean

    def take_losses(self) -> float:
        """Mean loss since the last validation; the next one begins anew."""
        mean = self.loss_sum / max(self.n_losses, 1)
        self.loss_sum, self.n_losses = 0.0, 0
        return mean

    def judge(self, value: list[float]) -> bool:
        """One more validation; True when it is the best so far.

        Args:
            value: What `best` holds.
        """
        self.n_validations += 1
        if self.best is not None and value <= self.best:
            return False
        self.best, self.best_step, self.best_validation = value, self.step, self.n_validations
        return True

    def judge_each(self, values: list[float]) -> list[bool]:
        """One more validation of parts that learn apart; for each of them, whether it is its best so far.

        Args:
            values: Metric of each part, where higher is better.
        """
        self.n_validations += 1
        least = self.best
        better = [least is None or value > least[i] for i, value in enumerate(values)]
        if any(better):
            self.best = values if least is None else [max(pair) for pair in zip(values, least, strict=True)]
            self.best_step, self.best_validation = self.step, self.n_validations
        return better


def placed(model: Any, device: str | tuple[str, ...] | None) -> dict[str, Tensor]:
    """The parameters of a model by name, moved to a device, or copied to several; None leaves them where they are."""
    parameters: dict[str, Tensor] = get_state_dict(model)
    for tensor in parameters.values():
        if isinstance(device, tuple):
            tensor.shard_(device)
        elif device is not None:
            tensor.to_(device)
    Tensor.realize(*parameters.values())
    return parameters


def snapshot(tensors: Mapping[str, Tensor]) -> dict[str, Float[np.ndarray, "..."]]:
    """Copies of tensors as NumPy arrays."""
    Tensor.realize(*tensors.values())
    return {name: array.copy() for name, array in zip(tensors, arrays_of(list(tensors.values())), strict=True)}


def restore(tensors: Mapping[str, Tensor], values: Mapping[str, Float[np.ndarray, "..."]]) -> None:
    """Writes values into the buffers of existing tensors, which a captured step goes on using."""
    write(list(tensors.values()), [values[name] for name in tensors])


def require_parameters(
    parameters: Mapping[str, Tensor], values: Mapping[str, Float[np.ndarray, "..."]], where: str
) -> None:
    """Raises FormatError unless there is a value of the right shape for every parameter, and no other."""
    for name in sorted({*parameters, *values}):
        wanted = tuple(parameters[name].shape) if name in parameters else None
        came = values[name].shape if name in values else None
        if wanted != came:
            raise FormatError(
                f"{where}: expected {name[:80]!r} of shape {wanted}, got {came}; it belongs to another model: "
                "overwrite the run to start again"
            )


@contextmanager
def holding(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor] | None) -> Iterator[None]:
    """While it is entered, the parameters that are named have the given values; None leaves all as they are."""
    if values is None:
        yield
        return
    changed = {name: parameters[name] for name in values}
    before = snapshot(changed)
    restore(changed, snapshot(values))
    try:
        yield
    finally:
        restore(changed, before)


def write_state(folder: Path, progress: Progress, tensors: Mapping[str, Tensor]) -> None:
    """Writes progress.json and state.safetensors into a folder that nobody reads yet."""
    (folder / STATE).write_bytes(pack(snapshot(tensors)))
    told = asdict(progress)
    if progress.best is not None:  # JSON has no infinity, the value of a metric that is not defined
        told["best"] = [value if math.isfinite(value) else None for value in progress.best]
    (folder / PROGRESS).write_text(json.dumps(told, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_state(folder: Path) -> tuple[Progress, dict[str, np.ndarray]]:
    """Reads what `write_state` wrote.

    Raises:
        FormatError: One of the files is not what this version writes.
    """
    try:
        progress = _progress(parse((folder / PROGRESS).read_bytes(), str(folder / PROGRESS)))
        kept = unpack((folder / STATE).read_bytes(), str(folder / STATE))
        require_finite(kept, str(folder / STATE))
    except (OSError, ValueError, TypeError) as error:
        raise FormatError(
            f"{folder}: expected {PROGRESS} and {STATE} of a run, but reading them failed ({error}); was it "
            "written by another version? Overwrite the run to start again"
        ) from error
    return progress, kept


def _progress(values: Any) -> Progress:
    """The position that JSON tells; TypeError where a field is unknown or has another type."""
    progress = Progress(**values)
    for field in fields(Progress):
        value = getattr(progress, field.name)
        fits = isinstance(value, KINDS[str(field.type)]) and not isinstance(value, bool)
        if not fits or (field.type == "int" and value < 0):
            raise TypeError(f"{field.name} is {str(value)[:80]}")
    if progress.best is not None:
        progress.best = [-math.inf if value is None else float(value) for value in progress.best]
    return progress
