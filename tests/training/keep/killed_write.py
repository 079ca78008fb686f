"""Run by test_checkpoints: kills a process before every single file-system event of a checkpoint being written.

    python killed_write.py FOLDER        prints how many places of death there were, and one line per thing gone wrong

Once as folders are exchanged here, and once as where the system cannot exchange two folders in one step.

No tinygrad is loaded, so a fork costs milliseconds.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from gattn_tg.io import whole
from gattn_tg.training.keep.checkpoints import Checkpoints
from gattn_tg.training.keep.folder import RunFolder

EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.listdir", "shutil.rmtree", "half")


def die_before(number: int, home: Path) -> None:
    """SIGKILL before the event of this number that has to do with the folder."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in EVENTS and (event == "half" or str(arguments[0]).startswith((str(home), "b'", "model", "step_"))):
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def fill(folder: Path, step: int) -> None:
    for name in ("model.safetensors", "progress.json"):
        with (folder / name).open("wb") as file:
            file.write(f"{name} of ".encode())
            file.flush()
            sys.audit("half")
            file.write(str(step).encode())


def content(folder: Path) -> int:
    """The step that all files of a folder belong to."""
    steps = {(folder / n).read_text().split(" of ")[1] for n in ("model.safetensors", "progress.json")}
    assert len(steps) == 1, f"files of {steps} in one checkpoint"
    return int(steps.pop())


def checkpoint(home: Path) -> str:
    """Death while step 3 is written over what an earlier life left, with 1 and 2 there and 2 kept."""
    checkpoints = Checkpoints(home / "checkpoints", keep=2)
    checkpoints.write(3, lambda folder: fill(folder, 3))
    return "done"


def best(home: Path) -> str:
    with RunFolder(home, "resume") as run:
        run.write_best(lambda folder: fill(folder, 3))
    return "done"


def prepare(home: Path) -> None:
    if home.exists():
        shutil.rmtree(home)
    with RunFolder(home, "resume", keep=2) as run:
        for step in (1, 2):
            run.checkpoints.write(step, lambda folder, step=step: fill(folder, step))
        damaged = run.checkpoints.write(3, lambda folder: fill(folder, 3))
        (damaged / "model.safetensors").write_text("torn")
        run.checkpoints.write(2, lambda folder: fill(folder, 2))
        run.write_best(lambda folder: fill(folder, 2))


def main(home: Path, way: str) -> None:
    for work in (checkpoint, best):
        number = 0
        while True:
            number += 1
            prepare(home)
            child = os.fork()
            if child == 0:
                die_before(number, home)
                work(home)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            with whole.opened(home / "best", ("model.safetensors",)) as files:
                # by a reader, before anything is put right
                seen = int(files["model.safetensors"].read().split(b" of ")[1])
            with RunFolder(home, "resume", keep=2) as run:
                newest = run.checkpoints.newest(lambda message: None)
                found = (content(newest) if newest else 0, content(run.best), seen)
                if not {2, 3}.issuperset(found):
                    print(f"{work.__name__}, death {number}: found {found}")
                if left := [p.name for p in home.rglob("*") if p.suffix in (".part", ".old")]:
                    print(f"{work.__name__}, death {number}: left {left}")
            work(home)  # the next life
            if work is checkpoint and (run.checkpoints.steps() != [2, 3] or content(run.checkpoints.path(3)) != 3):
                print(f"checkpoint, death {number}: then {run.checkpoints.steps()}")
            if work is best and content(run.best) != 3:
                print(f"best, death {number}: then {content(run.best)}")
            if os.WIFEXITED(status):
                break
        print(f"{work.__name__} {way} {number - 1}")


if __name__ == "__main__":
    os.fsync = lambda _: None  # it is for the death of the machine; a process that dies loses nothing of what it wrote
    main(Path(sys.argv[1]), "exchanged")
    whole._exchanged = lambda one, other: False
    main(Path(sys.argv[1]), "renamed")
