"""The folder of one run; an existing run is never replaced unasked, and no two processes write into one.

    config.toml      the configuration as it was      metrics.jsonl   a line per `log_every` steps and per validation
    run.json         where it came from               best/           model.safetensors, config.json: to predict with
    checkpoints/     where a run goes on from         test.json, curves.html, events/
    .lock            held while a process trains

`best/` is always whole for readers that use `io.whole.opened`, as all of gattn_tg do; on Linux for every reader.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.io.whole import OLD, PART, remove, tidy, write_folder
from gattn_tg.models.checkpoint import CONFIG
from gattn_tg.training.keep.checkpoints import Checkpoints
from gattn_tg.training.keep.journal import Journal
from gattn_tg.training.keep.lock import Lock

Mode = Literal["new", "overwrite", "resume"]
FILES = ("config.toml", "run.json", "metrics.jsonl", "test.json", "curves.html", "best", "checkpoints", "events")
LOCK = ".lock"


class RunFolder:
    """Creates or opens the folder of a run, and holds it until `close` or the end of the process.

    Args:
        path: The folder.
        mode: "new" wants it absent or empty; "overwrite" removes the files of an earlier run, and nothing else;
            "resume" goes on with them, or begins where there are none.
        keep: Checkpoints that stay.
        own: False where another process of the same run holds the folder; then nothing in it is changed here.

    Attributes:
        best: Folder of the best weights.
        checkpoints: Where the run goes on from.
        journal: Losses and metrics.
        is_locked: False where the file system knows no locks, or another process holds the folder for this one.

    Raises:
        ConfigError: The folder holds a run and the mode is "new", holds something else, or another run writes to it.
    """

    def __init__(self, path: Path | str, mode: Mode = "new", keep: int = 3, *, own: bool = True) -> None:
        self.path = Path(path)
        self.best = self.path / "best"
        self.checkpoints = Checkpoints(self.path / "checkpoints", keep)
        self.journal = Journal(self.path / "metrics.jsonl")
        self._held(mode)
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(self.path / LOCK) if own else None
        self.is_locked = self._lock is not None and self._lock.is_held
        if own:
            self._begin(mode)

    def _begin(self, mode: Mode) -> None:
        """Clears the folder, or puts right what a killed process left in it."""
        try:
            held = self._held(mode)  # once more: another run may have ended while this one waited for the lock
            if mode == "overwrite":
                for name in held:
                    remove(self.path / name)
            for name in FILES:
                tidy(self.path / name)
            self.checkpoints.tidy()
        except BaseException:
            self.close()
            raise

    def _held(self, mode: Mode) -> set[str]:
        """Names of what is in the folder, when the mode may deal with it."""
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{self.path}: expected a folder, but a file is there; choose another folder")
        held = {p.name for p in self.path.iterdir()} - {LOCK} if self.path.exists() else set()
        known = {name + end for name in FILES for end in ("", PART, OLD)}
        if foreign := sorted(held - known):
            raise ConfigError(
                f"{self.path}: expected an empty folder or one of an earlier run, got one that holds {foreign[0]!r}; "
                "choose another folder"
            )
        if mode == "new" and held:
            raise ConfigError(
                f"{self.path}: expected a new or empty folder, got one that holds a run; "
                "resume it, overwrite it, or choose another folder"
            )
        return held

    def write_best(self, fill: Callable[[Path], object]) -> None:
        """Replaces `best/`; a killed process leaves the old one or the new one, and readers see one or the other.

        Args:
            fill: Writes the files into a folder that is given to it.
        """
        write_folder(self.best, fill)

    def close(self) -> None:
        """Lets other processes have the folder."""
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def weights_of(path: Path) -> Path:
    """The folder of the checkpoint that a user means: the folder itself, or `best/` of a run.

    Raises:
        FormatError: a run that has no best weights yet.
    """
    if (path / CONFIG).exists():
        return path
    if (path / "best").exists():
        return path / "best"
    if (path / "run.json").exists():
        raise FormatError(f"{path}: expected a run with best/, got one without; it has not been validated yet: name a "
                          "folder in its checkpoints/, or resume its training")
    return path
