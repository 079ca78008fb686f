"""From a configuration to a trained model."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from tinygrad.helpers import Context

from gattn_tg.front.load import device_of, load
from gattn_tg.front.progress import Progress
from gattn_tg.front.trained import Trained
from gattn_tg.training import run
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.keep.folder import Mode
from gattn_tg.training.loop.watch import Watcher


def train(
    config: str | Path | TrainConfig, folder: str | Path | None = None, *, mode: Mode = "new", seed: int | None = None,
    device: str | None = None, start: str | Path | None = None, quiet: bool = False, watcher: Watcher | None = None,
) -> Trained:
    """Train the model of a configuration and load its best weights; tells of every validation on stderr.

    Args:
        config: a TOML file, or what was read from one.
        folder: of the run; None takes runs/NAME of the TOML file, as `gattn train` does.
        mode: "new" refuses a folder that holds a run, "overwrite" replaces it, "resume" goes on with it.
        seed: instead of the one in the file.
        device: where to train; None takes what DEV says, else the first GPU that works, else the CPU.
        start: an earlier checkpoint whose weights the model begins with, as far as they fit.
        quiet: tell of nothing but warnings.
        watcher: told about every step and validation instead.

    Raises:
        ConfigError: settings or folder do not fit.
        FormatError: a file of the data is malformed.
        DivergedError: the loss is not finite.
        KeyboardInterrupt: Ctrl-C, after the run was saved; the same call with mode="resume" goes on with it.
    """
    read = config if isinstance(config, TrainConfig) else TrainConfig.from_toml(config)
    home = Path(folder) if folder is not None else Path("runs") / read.path.stem
    chosen = device_of(device)
    with nullcontext() if chosen is None else Context(DEV=chosen):
        done = run.train(read, home, mode=mode, seed=seed, watcher=watcher or Progress(quiet),
                         start=None if start is None else Path(start))
    done.fitted.finished()
    return load(done.folder, chosen)
