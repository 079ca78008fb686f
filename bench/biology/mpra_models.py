"""Trains the models that `mpra.py` asks about reporter assays: binding, promoters, what DNA is like, and tracks.

    python bench/biology/mpra_models.py FOLDER [--models tf_human_0 ...] [--seed 0]

Classifiers of binding and of promoters in the shipped design (examples/configs/binding.toml), a language model and a
model of tracks on the human windows. None sees a measured variant, and nothing about them was chosen by one: passes and
steps are what an hour on one core leaves. The elements are short, so that the model of tracks has windows of 2 kb.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.record import ROOT, choose_device
from gattn_tg.data.genomes.bundled import bundled
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.run import train

DATA = ROOT.parent / "shared" / "data"
PASSES = {"tf_human_0": 3, "tf_human_3": 3, "tf_mouse_0": 8, "promoter300_all": 4}
PROMOTERS = "promoter300_all"  # of 300 bases, along which all matrices would take most of the hour
LANGUAGE, TRACKS = "language", "tracks"


def binding(name: str) -> TrainConfig:
    """The shipped design on a labelled set; a set of one file is cut, the others say what chooses the weights."""
    shipped = TrainConfig.from_toml(bundled("binding.toml", "configs"))
    files = [DATA / "labelled" / f"{name}_{part}.csv.gz" for part in ("train", "dev", "test")]
    data: dict[str, Any]
    if files[0].exists():
        data = {part: str(path) for part, path in zip(("train", "valid", "test"), files, strict=True)}
    else:
        data = {"train": str(DATA / "labelled" / f"{name}.csv.gz"), "valid_fraction": 0.15}
    if name != PROMOTERS:
        data["matrices"] = shipped.data["matrices"]
    return replace(shipped, data=data, train=replace(shipped.train, epochs=PASSES[name]))


def on_windows(file: str, data: dict[str, Any], model: dict[str, Any], settings: dict[str, Any]) -> TrainConfig:
    """A configuration of bench/configs on the human windows."""
    config = TrainConfig.from_toml(ROOT / "bench" / "configs" / file)
    return replace(config, data={**config.data, **data}, model={**config.model, **model},
                   train=replace(config.train, **settings))  # fmt: skip


def config_of(name: str) -> TrainConfig:
    """What to train."""
    if name == LANGUAGE:
        windows = str(DATA / "tracks" / "hg38_borzoi_tiny_seqs.fa.gz")
        return on_windows("language.toml", {"genomes": [windows]}, {}, {"steps": 800, "batch_size": 16})
    if name == TRACKS:
        return on_windows("tracks.toml", {"window_bp": 2_048}, {"crop_bp": 512}, {"steps": 500, "batch_size": 16,
                                                                                "validate_every": 250})  # fmt: skip
    return binding(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=[*PASSES, LANGUAGE, TRACKS], help="(all)")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    choose_device()
    for name in a.models:
        done = train(config_of(name), a.folder / name, seed=a.seed)
        print(name, done.test, flush=True)


if __name__ == "__main__":
    main()
