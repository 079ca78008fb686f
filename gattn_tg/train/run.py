"""A run from a configuration file to a tested model."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from gattn_tg.data.metrics import Metrics, measure
from gattn_tg.errors import ConfigError
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.config import ClassifierConfig
from gattn_tg.train import datasets, strict
from gattn_tg.train.config import TrainConfig
from gattn_tg.train.fit import Fit, Fitted
from gattn_tg.train.folder import Mode, RunFolder, write_bytes, write_text
from gattn_tg.train.watch import Watcher


@dataclass(frozen=True)
class Run:
    """What `train` gives back.

    Args:
        fitted: Epochs, best epoch, duration.
        test: Metrics on the test set; None without one, or after Ctrl-C.
        folder: Where the checkpoints are.
    """

    fitted: Fitted
    test: Metrics | None
    folder: Path


def train(
    config: TrainConfig,
    folder: Path | str,
    *,
    mode: Mode = "new",
    seed: int | None = None,
    device: str | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Trains the model of a configuration, keeps its checkpoints and tests the best epoch once.

    Args:
        config: What to train on what.
        folder: Folder of the run.
        mode: "new", "overwrite" or "resume", see `RunFolder`.
        seed: Instead of the one in the file.
        device: Where to train; None is tinygrad's default.
        watcher: Told about every step and pass.

    Raises:
        ConfigError: Settings or folder do not fit.
        DivergedError: The loss is not finite.
    """
    settings = config.train if seed is None else replace(config.train, seed=seed)
    data = datasets.load(config)
    given = {
        "n_classes": len(data.train.label_names),
        "max_length": data.train.width,
    }
    shape = strict.read(ClassifierConfig, config.model, f"{config.path}: [model]", given)
    if shape.n_motifs < data.vocabulary.n_motifs:
        raise ConfigError(
            f"{config.path}: [model] n_motifs: at least the {data.vocabulary.n_motifs} ids of the vocabulary are "
            f"required, but came {shape.n_motifs}; raise n_motifs or shorten the vocabulary"
        )
    model = SequenceClassifier(shape, seed=settings.seed)
    home = RunFolder(folder, mode)
    if mode != "resume":
        write_bytes(home.path / "config.toml", config.path.read_bytes())
    fitted = Fit(model, data.train, data.valid, settings, data.vocabulary, home, watcher or Watcher(), device).run(
        resume=mode == "resume"
    )
    if data.test is None or data.test.labels is None or fitted.interrupted:
        return Run(fitted, None, home.path)
    test = measure(data.test.labels, fitted.forward(data.test))
    write_text(home.path / "test.json", json.dumps(test.to_dict(), indent=1) + "\n")
    return Run(fitted, test, home.path)
