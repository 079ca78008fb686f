"""The folder of one run: config.toml, metrics.jsonl, best/ and last/; an existing run is never replaced unasked."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

from gattn_tg.errors import ConfigError

Mode = Literal["new", "overwrite", "resume"]
FILES = ("config.toml", "metrics.jsonl", "test.json", "best", "last")


class RunFolder:
    """Creates or opens the folder of a run.

    Args:
        path: The folder.
        mode: "new" wants it absent or empty; "overwrite" removes the files of an earlier run, and nothing else;
            "resume" goes on with them.

    Raises:
        ConfigError: The folder holds a run and the mode is "new", holds something else, or holds nothing to resume.
    """

    def __init__(self, path: Path | str, mode: Mode = "new") -> None:
        self.path = Path(path)
        self.best, self.last = self.path / "best", self.path / "last"
        self.metrics = self.path / "metrics.jsonl"
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{self.path}: a folder is required, but a file is there; choose another folder")
        held = {p.name for p in self.path.iterdir()} if self.path.exists() else set()
        if foreign := sorted(held - set(FILES)):
            raise ConfigError(
                f"{self.path}: an empty folder or one of an earlier run is required, but it holds {foreign[0]!r}; "
                "choose another folder"
            )
        if mode == "new" and held:
            raise ConfigError(
                f"{self.path}: a new or empty folder is required, but it holds a run; "
                "add --resume, --overwrite, or choose another folder"
            )
        if mode == "resume" and not (self.last / "progress.json").is_file():
            raise ConfigError(
                f"{self.path}: last/progress.json of an earlier run is required to resume, but is missing; "
                "start the run without --resume"
            )
        if mode == "overwrite":
            for name in held:
                remove(self.path / name)
        self.path.mkdir(parents=True, exist_ok=True)

    def note(self, line: dict[str, Any]) -> None:
        """Adds one line to metrics.jsonl and puts it on disk."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def forget_after(self, epoch: int) -> None:
        """Drops the lines of metrics.jsonl that a resumed run will write again."""
        if not self.metrics.exists():
            return
        lines = [line for line in self.metrics.read_text(encoding="utf-8").splitlines() if line.strip()]
        kept = [line for line in lines if json.loads(line).get("epoch", epoch + 1) <= epoch]
        write_text(self.metrics, "".join(line + "\n" for line in kept))


def write_text(path: Path, text: str) -> None:
    """Writes a file in one piece: readers see the old one or the new one."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file in one piece: readers see the old one or the new one."""
    temporary = path.with_name(path.name + ".part")
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
