"""Run by test_killed: one run in peace, and the same one killed again and again, in forks of a process that is warm.

    python killed_run.py CONFIG.toml FOLDER        makes FOLDER/peace and FOLDER/killed, prints how every life ended
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from gattn_tg.cli.main import main as gattn
from gattn_tg.front.progress import Progress

Death = Callable[[], None]


def die_at_step(step: int) -> Death:
    """After the weights of a step have changed, before anything is written about it."""

    def arm() -> None:
        stepped = Progress.stepped

        def deadly(self: Progress, now: int, loss: float, rate: float, n_rows: int) -> None:
            if now == step:
                os.kill(os.getpid(), signal.SIGKILL)
            stepped(self, now, loss, rate, n_rows)

        Progress.stepped = deadly  # type: ignore[method-assign]

    return arm


def die_before(event: str, path: str) -> Death:
    """Before the first event of a name, open or os.rename for instance, on a path that ends so."""

    def arm() -> None:
        def hook(name: str, arguments: tuple[object, ...]) -> None:
            if name == event and str(arguments[0]).endswith(path):
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)

    return arm


def damage(folder: Path) -> Death:
    """Before a life begins: one bit of the newest checkpoint turns over; it then lives to step 11."""

    def arm() -> None:
        newest = max((folder / "checkpoints").glob("step_????????"))
        state = newest / "state.safetensors"
        data = bytearray(state.read_bytes())
        data[len(data) // 2] ^= 1
        state.write_bytes(bytes(data))
        die_at_step(11)()

    return arm


# The run has 16 steps, a checkpoint after every third and a validation after every fourth.
DEATHS: dict[str, Death] = {
    "step 2, before any checkpoint": die_at_step(2),
    "weights of checkpoint 3 written, state not": die_before("open", "step_00000003.part/state.safetensors"),
    "checkpoint 3 whole, not renamed": die_before("os.rename", "step_00000003.part"),
    "first best weights whole, not renamed": die_before("os.rename", "best.part"),
    "digests of checkpoint 6 not written": die_before("open", "step_00000006.part/sha256sums.txt"),
    "step 8, between two checkpoints": die_at_step(8),
    "better weights whole, not exchanged": die_before("os.rename", "best.part"),
}


def main(config: str, home: Path) -> None:
    def command(name: str) -> list[str]:
        return ["train", config, "-o", str(home / name), "--resume", "--threads", "1"]

    print("peace", gattn([*command("peace"), "--json"]), flush=True)
    lives: dict[str, Death] = {**DEATHS, "newest checkpoint damaged": damage(home / "killed"), "none": lambda: None}
    for name, arm in lives.items():
        child = os.fork()
        if child == 0:
            arm()
            os._exit(gattn(command("killed")))
        _, status = os.waitpid(child, 0)
        ended = "killed" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        steps = [int(p.name[5:]) for p in (home / "killed" / "checkpoints").glob("step_????????")]
        print(f"{name}: {ended}, newest checkpoint {max(steps, default=0)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
