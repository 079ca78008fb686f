"""`gattn finetune CKPT CONFIG.toml`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gattn_tg.cli import train


def run(arguments: argparse.Namespace) -> int:
    """Trains as `gattn train` does, beginning with the weights of a checkpoint as far as they fit."""
    folder = arguments.output or Path("runs") / arguments.config.stem
    again = f"gattn finetune {arguments.checkpoint} {arguments.config} -o {folder} --resume"
    return train.run_from(arguments, folder, "gattn finetune", again, start=arguments.checkpoint)
