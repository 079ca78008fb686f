"""Event files that TensorBoard reads, beside metrics.jsonl."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gattn_tg.errors import MissingExtraError


class Events:
    """Scalars of a run as event files.

    Args:
        folder: Where they go; files of earlier processes stay, and TensorBoard forgets their events after `step`.
        step: Steps that the run has done.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "train: [train] tensorboard: expected tensorboardX to write event files, but it is not installed; "
                'pip install "gattn_tg[tensorboard]", or set tensorboard = false'
            ) from error
        self._writer: Any = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def note(self, line: Mapping[str, Any]) -> None:
        """Adds the numbers of one line of metrics.jsonl, as train/loss, valid/auc and so on."""
        for name, value in (line["metrics"] if line["kind"] == "valid" else line).items():
            if isinstance(value, int | float) and name not in ("step", "n"):
                self._writer.add_scalar(f"{line['kind']}/{name}", value, line["step"])

    def sync(self) -> None:
        """Hands all events to the file."""
        self._writer.flush()

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()
