"""`gattn train CONFIG.toml`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from gattn_tg.cli import device
from gattn_tg.cli.output import say, say_json
from gattn_tg.cli.progress import Progress
from gattn_tg.errors import ConfigError
from gattn_tg.train.config import TrainConfig
from gattn_tg.train.folder import Mode
from gattn_tg.train.run import train

INTERRUPTED = 130


def run(arguments: argparse.Namespace) -> int:
    """Trains, tests and tells where the checkpoint is; 130 after Ctrl-C, with a run that --resume goes on with."""
    if arguments.resume and arguments.overwrite:
        raise ConfigError("gattn train: one of --resume and --overwrite is required, but both came; remove one")
    config = TrainConfig.from_toml(arguments.config)
    folder = arguments.output or Path("runs") / arguments.config.stem
    mode: Mode = "resume" if arguments.resume else "overwrite" if arguments.overwrite else "new"
    watcher = Progress(config.train.epochs, quiet=arguments.json)
    with device.on(arguments.device, arguments.threads):
        done = train(config, folder, mode=mode, seed=arguments.seed, watcher=watcher)
    fitted = done.fitted
    if arguments.json:
        best = next((e for e in fitted.epochs if e.epoch == fitted.best_epoch), None)
        say_json(
            {
                "folder": str(done.folder),
                "best": str(done.folder / "best"),
                "best_epoch": fitted.best_epoch,
                "steps": fitted.step,
                "interrupted": fitted.interrupted,
                "valid": best.valid.to_dict() if best else None,
                "test": done.test.to_dict() if done.test else None,
                "seconds": round(fitted.seconds, 1),
            }
        )
        return INTERRUPTED if fitted.interrupted else 0
    if fitted.interrupted:
        say(f"interrupted at step {fitted.step}; go on with: gattn train {arguments.config} -o {folder} --resume")
        return INTERRUPTED
    say(f"best epoch {fitted.best_epoch} of {config.train.epochs}: {done.folder / 'best'}  ({fitted.seconds:.0f} s)")
    if done.test:
        numbers = asdict(done.test)
        say("test  " + "  ".join(f"{k} {numbers[k]:.4f}" for k in ("accuracy", "auc", "mcc", "loss")))
    return 0
