"""The checkpoints of a run: whole or not there, checked byte for byte, the newest ones kept.

    checkpoints/step_00001200/   model.safetensors  config.json  state.safetensors  progress.json  sha256sums.txt

A checkpoint is written into a folder beside, its files and the folder are put on disk, and one rename makes it visible:
whatever kills the process, before the rename the older checkpoints count and after it the new one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.io.whole import OLD, PART, discard, remove, write_folder

SUMS = "sha256sums.txt"  # as `sha256sum -c` reads it
NAME = re.compile(r"step_(\d{8,})")


class Checkpoints:
    """The checkpoints in one folder.

    Args:
        folder: Made when the first one is written.
        keep: How many stay on disk.
    """

    def __init__(self, folder: Path, keep: int = 3) -> None:
        self.folder, self.keep = folder, keep

    def path(self, step: int) -> Path:
        """The folder of a step."""
        return self.folder / f"step_{step:08d}"

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, whole or damaged, in their order."""
        if not self.folder.is_dir():
            return []
        found = (NAME.fullmatch(p.name) for p in self.folder.iterdir() if p.is_dir())
        return sorted(int(match[1]) for match in found if match)

    def write(self, step: int, fill: Callable[[Path], None]) -> Path:
        """Makes a checkpoint; one of the same step is replaced, and those that are too old go.

        Args:
            step: Steps done.
            fill: Writes the files into a folder that is given to it.
        """
        def whole(part: Path) -> None:
            fill(part)
            (part / SUMS).write_text(_sums(part), encoding="utf-8")

        self.folder.mkdir(parents=True, exist_ok=True)
        final = self.path(step)
        write_folder(final, whole)  # what was there is damaged, or of a run that went on from before it
        self._forget(step)
        return final

    def newest(self, damaged: Callable[[str], None]) -> Path | None:
        """The newest whole checkpoint; None where there is none at all.

        Args:
            damaged: Told about every newer one that is not whole.

        Raises:
            FormatError: There are checkpoints, but none of them is whole.
        """
        steps = self.steps()
        faults: list[str] = []
        for step in reversed(steps):
            try:
                verify(self.path(step))
            except FormatError as error:
                faults.append(str(error))
                continue
            for fault in faults:
                damaged(f"{fault}; going on from {self.path(step).name}")
            return self.path(step)
        if faults:
            raise FormatError(f"{faults[0]}; no older checkpoint is whole: overwrite the run to start again")
        return None

    def named(self, name: str) -> Path:
        """The checkpoint of a name, `step_00000800`, when it is whole.

        Raises:
            ConfigError: There is no such checkpoint.
            FormatError: It is damaged.
        """
        there = [self.path(step).name for step in self.steps()]
        if name not in there:
            raise ConfigError(
                f"{self.folder}: expected one of {', '.join(there) or 'its checkpoints (there are none)'}, got "
                f"{name!r}; name one of them"
            )
        try:
            verify(self.folder / name)
        except FormatError as error:
            older = [other for other in there if other < name]
            hint = f"go on from the one before, {older[-1]}" if older else "overwrite the run to start again"
            raise FormatError(f"{error}; {hint}") from error
        return self.folder / name

    def _forget(self, step: int) -> None:
        """Removes what is older than the newest `keep` up to a step."""
        past = [s for s in self.steps() if s <= step]  # newer ones are of the time before a return to an older one
        for old in past[: -self.keep]:
            discard(self.path(old))
        self.tidy()

    def tidy(self) -> None:
        """Removes what a killed process left half written or half removed."""
        for left in [*self.folder.glob(f"*{PART}"), *self.folder.glob(f"*{OLD}")]:
            remove(left)


def verify(folder: Path) -> None:
    """Checks that a checkpoint is as it was written: every byte of every file, and no file more or less.

    Raises:
        FormatError: It is not; names the file.
    """
    try:
        written = (folder / SUMS).read_bytes()
        found = _sums(folder).encode()
    except OSError as error:
        reason = f"{Path(error.filename or SUMS).name}: {(error.strerror or str(error)).lower()}"
        raise FormatError(f"{folder}: expected a whole checkpoint, but {reason}") from error
    if written == found:
        return
    expected, present = (set(text.splitlines()) for text in (written, found))
    odd = sorted(line.split(b"  ")[-1].decode(errors="replace") for line in expected ^ present)
    files = {p.name for p in folder.iterdir()}
    name = next((n for n in odd if n in files), odd[0] if odd else SUMS)
    missing = sorted(set(odd) - files) if len(expected) > len(present) else []
    fault = f"{missing[0]} is missing" if missing else f"{name} is not what {SUMS} says"
    raise FormatError(f"{folder}: expected a whole checkpoint, but {fault}")


def _sums(folder: Path) -> str:
    """Digest and name of every file but the list itself, sorted by name."""
    lines = []
    for path in sorted(folder.iterdir()):
        if path.name != SUMS:
            with path.open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    return "".join(lines)
