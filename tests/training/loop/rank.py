"""One process of a training run, started by mpiexec: `python rank.py WHAT FOLDER`; writes what it ended with."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict
from training import tiny

from gattn_tg.machine import threads
from gattn_tg.models.captured.inputs import to_tensors
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.keep.state import restore, snapshot
from gattn_tg.training.loop.communicator import Communicator, Mpi
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.step import Step
from gattn_tg.training.loop.watch import Watcher

MODEL = replace(tiny.MODEL, dropout=0.1)
ROWS, RATE = 4, 1e-2  # rows of a rank in a step: kernels of one size, whatever a test runs
Values = dict[str, np.ndarray]


class Steps:
    """Training steps on the same `rows`, however many ranks and micro-batches share them."""

    def __init__(self, ranks: Communicator, rows: int = 2 * ROWS, *, accumulate: int = 1, **settings: object) -> None:
        self.ranks, self.accumulate = ranks, accumulate
        size = rows // (ranks.n_ranks * accumulate)
        chosen = replace(tiny.SETTINGS, batch_size=size, accumulate=accumulate, ema_decay=0.9, **settings)
        self.task = tiny.task(chosen, MODEL, ranks.n_ranks)
        self.parameters = get_state_dict(self.task.model)
        self.step = Step(self.task.loss, self.parameters, chosen, communicator=ranks)

    def run(self, first: int, last: int) -> list[tuple[float, float]]:
        """(loss, gradient norm) of the steps first .. last - 1."""
        n, ranks = range(self.accumulate), self.ranks
        with Context(TRAINING=1):
            return [
                self.step([to_tensors(self.task.batch(i, micro, ranks.rank, ranks.n_ranks)) for micro in n], RATE)
                for i in range(first, last)
            ]

    def values(self) -> Values:
        """Parameters and state by name; a name of both means the parameter."""
        return snapshot(self.step.state() | self.parameters)

    def restore(self, values: Values) -> None:
        restore(self.parameters, {name: values[name] for name in self.parameters})
        self.step.restore(values)

    def n_kept(self) -> int:
        """Elements of moments and means that this rank holds."""
        return sum(x.numel() for x in (*self.step.first, *self.step.second, *self.step.means))


def digest(values: Values) -> str:
    return hashlib.sha256(b"".join(values[name].tobytes() for name in sorted(values))).hexdigest()


class Pressing(Watcher):
    """Presses Ctrl-C during a step, on the last rank only."""

    def __init__(self, ranks: Communicator) -> None:
        self.is_last = ranks.rank == ranks.n_ranks - 1

    def stepped(self, step: int, loss: float, rate: float, n_rows: int) -> None:
        if step == 3 and self.is_last:
            os.kill(os.getpid(), signal.SIGINT)


def fit(ranks: Communicator, path: Path, *, pressing: bool = False, resume: bool = False) -> Values:
    """A run of eight steps; the weights it ends with."""
    settings = replace(tiny.SETTINGS, steps=8, validate_every=4, batch_size=ROWS, shard_optimizer=True)
    task = tiny.task(settings, MODEL, ranks.n_ranks)
    home = RunFolder(path, "resume" if resume else "new") if ranks.rank == 0 else None
    ranks.from_first(None)
    home = home or RunFolder(path, "resume", own=False)
    watcher = Pressing(ranks) if pressing else Watcher()
    fitted = Fit(task, settings, home, watcher, communicator=ranks).run(resume=resume)
    assert fitted.interrupted == pressing
    assert fitted.step == (3 if pressing else 8)
    return snapshot(get_state_dict(task.model))


def work(what: str, folder: Path, ranks: Communicator) -> dict[str, object]:
    """What this process has to say."""
    match what:
        case "steps":
            rows = ranks.n_ranks * ROWS
            plain, shared = Steps(ranks, rows), Steps(ranks, rows, shard_optimizer=True)
            losses = plain.run(0, 4)
            kept = plain.values()
            shared.run(0, 4)
            if ranks.rank == 0:
                np.savez(folder / "steps.npz", losses=np.array(losses), **kept)
            return {
                "digest": digest(kept),
                "shared": digest(shared.values()),
                "n_kept": [plain.n_kept(), shared.n_kept()],
            }
        case "fit":
            whole = fit(ranks, folder / "whole")
            fit(ranks, folder / "pressed", pressing=True)
            return {"digest": digest(whole)}
        case "resume":
            return {"digest": digest(fit(ranks, folder / "pressed", resume=True))}
        case "fails":
            if ranks.rank == 1:
                raise ValueError("this rank cannot go on")
            ranks.any(False)
        case "differs":
            task = tiny.task(replace(tiny.SETTINGS, seed=ranks.rank))
            Step(task.loss, get_state_dict(task.model), tiny.SETTINGS, communicator=ranks)([], RATE)
    return {}


if __name__ == "__main__":
    threads.set_threads(1)
    with Mpi() as world:
        said = work(sys.argv[1], Path(sys.argv[2]), world)
    (Path(sys.argv[2]) / f"{sys.argv[1]}.{world.rank}.json").write_text(json.dumps(said))
