"""A run from a configuration file to a tested model."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from gattn_tg.io.whole import write_bytes, write_text
from gattn_tg.metrics.outcome import Outcome
from gattn_tg.models.checkpoint import described
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.keep.folder import Mode, RunFolder, weights_of
from gattn_tg.training.loop.communicator import Alone, Communicator
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.start import Start, take_over
from gattn_tg.training.loop.watch import Fitted, Watcher
from gattn_tg.training.task import Compared, Device, Remarked, Task, Testable
from gattn_tg.training.tasks.registry import task_of
from gattn_tg.version import __version__


@dataclass(frozen=True)
class Run:
    """What `train` gives back.

    Args:
        fitted: Validations, best step, duration.
        test: Metrics on the test set; None without one, or after Ctrl-C.
        folder: Where the checkpoints are.
        task: The task with the best weights in its model.
        start: What was taken over from an earlier checkpoint; None without one.
        tested: Truth and answers of the test set, of a task that can show them.
    """

    fitted: Fitted
    test: dict[str, float] | None
    folder: Path
    task: Task
    start: Start | None = None
    tested: Outcome | None = None


def train(
    config: TrainConfig,
    folder: Path | str,
    *,
    mode: Mode = "new",
    seed: int | None = None,
    device: Device = None,
    watcher: Watcher | None = None,
    communicator: Communicator | None = None,
    from_checkpoint: str = "",
    start: Path | None = None,
) -> Run:
    """Trains the model of a configuration, keeps its checkpoints and tests the best weights once.

    Args:
        config: What to train on what.
        folder: Folder of the run.
        mode: "new", "overwrite" or "resume", see `RunFolder`.
        seed: Instead of the one in the file.
        device: Where to train; None is tinygrad's default, a tuple shares the rows out over devices.
        watcher: Told about every step and validation.
        communicator: The other processes, each of which makes the same call; None trains alone.
        from_checkpoint: Name of the checkpoint to go on from, with mode "resume"; "" takes the newest whole one.
        start: An earlier checkpoint, or the folder of a run, whose weights the model begins with, as far as they fit;
            `[train] trunk_rate` says how fast they learn.

    Raises:
        ConfigError: Settings or folder do not fit, or another run writes to the folder.
        FormatError: A file of the data is malformed, or no checkpoint is whole.
        DivergedError: The loss is not finite.
    """
    others = communicator or Alone()
    if seed is not None:
        config = replace(config, train=replace(config.train, seed=seed))
    start = None if start is None else weights_of(start)
    config = config.beginning_with(None if start is None else described(start))
    task = task_of(config, device=device, n_ranks=others.n_ranks)
    started = take_over(task.model, start, task.vocabulary) if start else None
    # Rank 0 makes or clears the folder before the others look into it.
    home = RunFolder(folder, mode, config.train.keep) if others.rank == 0 else None
    others.from_first(None)
    home = home or RunFolder(folder, "resume", config.train.keep, own=False)
    with home:
        if isinstance(task, Remarked) and watcher is not None and others.rank == 0:
            for note in task.notes:
                watcher.noted(note)
            for warning in task.warnings:
                watcher.warned(warning)
        return _run(config, home, task, others, watcher or Watcher(), device, started, mode, from_checkpoint)


def _run(
    config: TrainConfig, home: RunFolder, task: Task, others: Communicator, watcher: Watcher, device: Device,
    started: Start | None, mode: Mode, from_checkpoint: str,
) -> Run:  # fmt: skip
    """The run in a folder that this process, or rank 0, holds."""
    if others.rank == 0 and not home.is_locked:
        watcher.damaged(f"{home.path}: this file system has no locks; start no other run in this folder")
    fit = Fit(task, config.train, home, watcher, device, others)
    if started:
        fit.begin_with(started)
        watcher.took_over(started)
        if n := len(fit.updates.maps):
            watcher.noted(f"{n} maps of the blocks learn updates of rank {config.train.lora_rank}, "
                          f"{fit.updates.n_values:,} values; all else that was taken over stays as it is")
    if others.rank == 0 and not home.checkpoints.steps():
        write_bytes(home.path / "config.toml", config.path.read_bytes())
        origin = {"config": str(config.path.resolve()), "home": str(config.resolve("").resolve()), "kind": config.kind,
                  "seed": config.train.seed, "version": __version__}  # fmt: skip
        write_text(home.path / "run.json", json.dumps(origin, indent=1) + "\n")
    fitted = fit.run(resume=mode == "resume", from_checkpoint=from_checkpoint)
    tests = not fitted.interrupted and others.rank == 0
    tested = task.outcome("test") if tests and isinstance(task, Compared) else None
    test = tested.metrics() if tested else task.test() if tests and isinstance(task, Testable) else None
    if test is not None:
        shown = {k: None if v != v else v for k, v in test.items()}
        write_text(home.path / "test.json", json.dumps(shown, indent=1) + "\n")
    return Run(fitted, test, home.path, task, started, tested)
