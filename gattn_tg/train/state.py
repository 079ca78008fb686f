"""Where a run stands: what `last/` holds beside the model, so that a resumed run equals an uninterrupted one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tinygrad import Tensor
from tinygrad.nn.state import safe_load, safe_save

from gattn_tg.errors import FormatError
from gattn_tg.train.folder import write_bytes, write_text
from gattn_tg.types import Float


@dataclass
class Progress:
    """Position in the run.

    Args:
        epoch: Passes finished.
        batch: Batches of the running pass done.
        step: Steps done.
        loss_sum: Sum of the losses of the running pass.
        best: Monitored metric and minus the loss of the best pass, compared in this order, higher is better; None
            before the first validation.
        best_epoch: The pass it belongs to.
        seconds: Time spent before this process.
        fingerprint: What must be equal for a resume: settings, model and size of the data.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best: list[float] | None = None
    best_epoch: int = 0
    seconds: float = 0.0
    fingerprint: str = ""


def snapshot(tensors: Mapping[str, Tensor]) -> dict[str, Float[np.ndarray, "..."]]:
    """Copies of tensors as NumPy arrays."""
    return {name: tensor.numpy().copy() for name, tensor in tensors.items()}


def restore(tensors: Mapping[str, Tensor], values: Mapping[str, Float[np.ndarray, "..."]]) -> None:
    """Writes values into the buffers of existing tensors, which a captured step goes on using."""
    Tensor.realize(*[t.assign(Tensor(values[name], device=t.device, dtype=t.dtype)) for name, t in tensors.items()])


def save_state(folder: Path, progress: Progress, optimizer: Mapping[str, Tensor]) -> None:
    """Writes progress.json and optimizer.safetensors into a folder, each in one piece, progress last."""
    part = folder / "optimizer.new"
    safe_save({k: Tensor(v, device="CPU") for k, v in snapshot(optimizer).items()}, str(part))
    write_bytes(folder / "optimizer.safetensors", part.read_bytes())
    part.unlink()
    write_text(folder / "progress.json", json.dumps(asdict(progress), indent=1) + "\n")


def load_state(folder: Path) -> tuple[Progress, dict[str, np.ndarray]]:
    """Reads what `save_state` wrote.

    Raises:
        FormatError: One of the files is damaged.
    """
    try:
        progress = Progress(**json.loads((folder / "progress.json").read_text(encoding="utf-8")))
        # From memory: safe_load of a path keeps the file mapped, and a later save to it would be lost.
        stored = safe_load(Tensor((folder / "optimizer.safetensors").read_bytes(), device="CPU"))
        return progress, {name: tensor.numpy().copy() for name, tensor in stored.items()}
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise FormatError(
            f"{folder}: progress.json and optimizer.safetensors of a run are required, but reading them failed "
            f"({error}); start again without --resume"
        ) from error
