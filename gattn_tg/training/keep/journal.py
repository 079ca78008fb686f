"""Losses and metrics of a run on disk: metrics.jsonl, one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gattn_tg.errors import FormatError
from gattn_tg.io.strict_json import parse
from gattn_tg.io.whole import write_text
from gattn_tg.training.keep.events import Events


class Journal:
    """The file of a run that lines are added to.

    Args:
        path: metrics.jsonl.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: Events | None = None

    def note(self, line: dict[str, Any]) -> None:
        """Adds one line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
        if self.events:
            self.events.note(line)

    def also_events(self, folder: Path, step: int) -> None:
        """From now on writes event files too.

        Args:
            folder: Where they go.
            step: Steps that the run has done.

        Raises:
            MissingExtraError: tensorboardX is not installed.
        """
        self.events = Events(folder, step)

    def sync(self) -> None:
        """Puts all lines on disk: before a checkpoint that a resumed run would take for the time of the last line."""
        if self.events:
            self.events.sync()
        if self.path.exists():
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())

    def lines(self) -> list[dict[str, Any]]:
        """What was noted; a line that a killed process left half written, or that somebody changed, is not there."""
        return [line for line in self._read() if line is not None]

    def forget_after(self, step: int) -> int:
        """Drops the lines that a run resumed after `step` steps will write again, and those that are none.

        Returns:
            How many whole lines were not what a run writes.
        """
        if not self.path.exists():
            return 0
        found = self._read()
        kept = [json.dumps(line) + "\n" for line in found if line is not None and line["step"] <= step]
        write_text(self.path, "".join(kept))
        return found.count(None)

    def _read(self) -> list[dict[str, Any] | None]:
        """The lines; None for one that is not what a run writes. An end without a line break is half a line."""
        if not self.path.exists():
            return []
        whole = self.path.read_bytes().split(b"\n")[:-1]
        return [_line(text, str(self.path)) for text in whole]

    def close(self) -> None:
        """Ends the event files."""
        if self.events:
            self.events.close()
            self.events = None


def _line(text: bytes, where: str) -> dict[str, Any] | None:
    """The line of `Trained` or `Validated` that a text is; None for any other text."""
    try:
        line = parse(text, where)
    except FormatError:
        return None
    if not isinstance(line, dict) or type(line.get("step")) is not int or not isinstance(line.get("kind"), str):
        return None
    metrics = line.get("metrics", {})
    if not isinstance(metrics, dict) or (line["kind"] == "valid" and "metrics" not in line):
        return None
    numbers = [*metrics.values(), *(line[key] for key in line if key not in ("kind", "metrics"))]
    return line if all(value is None or isinstance(value, int | float) for value in numbers) else None
