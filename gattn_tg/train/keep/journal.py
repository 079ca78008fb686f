"""Losses and metrics of a run on disk: metrics.jsonl, one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gattn_tg.train.keep.events import Events


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
        """What was noted; a line that a killed process left half written is not there."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(value, dict):
                found.append(value)
        return found

    def forget_after(self, step: int) -> None:
        """Drops the lines that a run resumed after `step` steps will write again."""
        if not self.path.exists():
            return
        kept = [json.dumps(line) + "\n" for line in self.lines() if line.get("step", step + 1) <= step]
        temporary = self.path.with_name(self.path.name + ".part")
        temporary.write_text("".join(kept), encoding="utf-8")
        os.replace(temporary, self.path)

    def close(self) -> None:
        """Ends the event files."""
        if self.events:
            self.events.close()
            self.events = None
