"""The folder of one run; an existing run is never replaced unasked.

    config.toml      the configuration as it was      metrics.jsonl   a line per `log_every` steps and per validation
    run.json         where it came from               best/           model.safetensors, config.json: to predict with
    checkpoints/     where a run goes on from         test.json, curves.html, events/
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from gattn_tg.errors import ConfigError
from gattn_tg.train.keep.checkpoints import Checkpoints, sync
from gattn_tg.train.keep.journal import Journal

Mode = Literal["new", "overwrite", "resume"]
FILES = ("config.toml", "run.json", "metrics.jsonl", "test.json", "curves.html", "best", "checkpoints", "events")
PART, OLD = ".part", ".old"  # endings of what a killed process may leave behind


class RunFolder:
    """Creates or opens the folder of a run.

    Args:
        path: The folder.
        mode: "new" wants it absent or empty; "overwrite" removes the files of an earlier run, and nothing else;
            "resume" goes on with them, or begins where there are none.
        keep: Checkpoints that stay.

    Attributes:
        best: Folder of the best weights.
        checkpoints: Where the run goes on from.
        journal: Losses and metrics.

    Raises:
        ConfigError: The folder holds a run and the mode is "new", or holds something else.
    """

    def __init__(self, path: Path | str, mode: Mode = "new", keep: int = 3) -> None:
        self.path = Path(path)
        self.best = self.path / "best"
        self.checkpoints = Checkpoints(self.path / "checkpoints", keep)
        self.journal = Journal(self.path / "metrics.jsonl")
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{self.path}: a folder is required, but a file is there; choose another folder")
        held = {p.name for p in self.path.iterdir()} if self.path.exists() else set()
        known = {name + end for name in FILES for end in ("", PART, OLD)}
        if foreign := sorted(held - known):
            raise ConfigError(
                f"{self.path}: an empty folder or one of an earlier run is required, but it holds {foreign[0]!r}; "
                "choose another folder"
            )
        if mode == "new" and held:
            raise ConfigError(
                f"{self.path}: a new or empty folder is required, but it holds a run; "
                "add --resume, --overwrite, or choose another folder"
            )
        if mode == "overwrite":
            for name in held:
                remove(self.path / name)
        self.path.mkdir(parents=True, exist_ok=True)
        if mode == "resume" and not self.best.exists() and (kept := self._aside(OLD)).exists():
            kept.rename(self.best)  # the process was killed between two renames

    def write_best(self, fill: Callable[[Path], object]) -> None:
        """Replaces `best/`; a killed process leaves the old one or the new one.

        Args:
            fill: Writes the files into a folder that is given to it.
        """
        part, old = self._aside(PART), self._aside(OLD)
        for left in (part, old):
            if left.exists():
                remove(left)
        part.mkdir()
        fill(part)
        sync(part)
        if self.best.exists():
            self.best.rename(old)
        part.rename(self.best)
        sync(self.path)
        if old.exists():
            remove(old)

    def _aside(self, ending: str) -> Path:
        return self.best.with_name(self.best.name + ending)


def write_text(path: Path, text: str) -> None:
    """Writes a file in one piece: readers see the old one or the new one."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file in one piece: readers see the old one or the new one."""
    temporary = path.with_name(path.name + PART)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def remove(path: Path) -> None:
    """Removes a file or a folder with all in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
