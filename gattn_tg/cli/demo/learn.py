"""The two models of `gattn demo`, trained and tested: the same network with and without motif bias."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gattn_tg.cli.demo.locus import WINDOW
from gattn_tg.cli.output import say
from gattn_tg.data import LabelledSequences
from gattn_tg.front.progress import Progress
from gattn_tg.io import LabelledTable, write_tsv
from gattn_tg.metrics.classes import Metrics, confusion, measure
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.motif import MotifVocabulary
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.watch import Fitted
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.classify import Classify

MODEL = ClassifierConfig(
    n_classes=3, width=64, n_layers=2, n_heads=4, motif="key", positions="learned", max_length=WINDOW, stem_kernel=7,
    dropout=0.0,
)  # fmt: skip
TRAINING = TrainSettings(
    epochs=4, batch_size=64, learning_rate=3e-3, weight_decay=0.05, motif_rate=3.0, monitor="loss", seed=0
)


@dataclass(frozen=True)
class Outcome:
    """One trained model of the comparison."""

    name: str
    fitted: Fitted
    forward: Forward
    checkpoint: Checkpoint
    test: Metrics
    confusion: np.ndarray
    probabilities: np.ndarray


def learn(
    name: str,
    config: ClassifierConfig,
    settings: TrainSettings,
    parts: list[LabelledSequences],
    vocabulary: MotifVocabulary,
    home: Path,
    quiet: bool,
) -> Outcome | None:
    """Trains one model and tests its best epoch; None after Ctrl-C."""
    train, valid, test = parts
    model = SequenceClassifier(config, seed=settings.seed)
    if not quiet:
        say(f"\n{name}")
    folder = RunFolder(home / name.replace(" ", "_"))
    task = Classify(model, train, valid, vocabulary, settings)
    fitted = Fit(task, settings, folder, Progress(quiet)).run()
    if fitted.interrupted:
        return None
    assert test.labels is not None  # the bundled table has labels
    p = task.forward(*test.inputs)
    return Outcome(
        name=name,
        fitted=fitted,
        forward=task.forward,
        checkpoint=Checkpoint(model, vocabulary, task.readout),
        test=measure(test.labels, p),
        confusion=confusion(test.labels, p.argmax(1), len(train.label_names)),
        probabilities=p,
    )


def write_predictions(
    home: Path, sequences: tuple[bytes, ...], rows: np.ndarray, test: LabelledSequences, outcome: Outcome
) -> None:
    """One line per test window: row of the bundled table, true and predicted class, probabilities, sequence."""
    assert test.labels is not None  # the bundled table has labels
    names = test.label_names
    head = ["row", "true", "predicted", *(f"p_{n}" for n in names), "sequence"]
    lines = (
        [row + 1, names[true], names[int(p.argmax())], *(f"{x:.6f}" for x in p), sequences[row].decode()]
        for row, true, p in zip(rows.tolist(), test.labels.tolist(), outcome.probabilities, strict=True)
    )
    write_tsv(home / "test_predictions.tsv", head, lines)


def by_class(table: LabelledTable, rows: np.ndarray) -> dict[str, list[bytes]]:
    """The sequences of some rows, by the name of their class."""
    assert table.labels is not None  # the bundled table has labels
    found: dict[str, list[bytes]] = {name: [] for name in table.label_names}
    for row in rows.tolist():
        found[table.label_names[table.labels[row]]].append(table.sequences[row])
    return found


def compared(biased: Metrics, plain: Metrics) -> str:
    """What one run of each model says about their difference: something only where it exceeds chance.

    The interval of a difference of two shares p over n windows each: 1.96 sqrt(p1 (1 - p1) / n + p2 (1 - p2) / n).
    """
    difference = biased.accuracy - plain.accuracy
    chance = (margin(biased) ** 2 + margin(plain) ** 2) ** 0.5
    shown = f"with and without motif bias: {difference:+.1%} ± {chance:.1%} (95% interval, one seed each)"
    if abs(difference) <= chance:
        return f"The accuracies do not differ {shown}."
    return f"The accuracies differ {shown}; another seed may say otherwise."


def margin(test: Metrics) -> float:
    """Half the 95% interval of an accuracy, from the number of windows it was measured on."""
    return 1.96 * float(np.sqrt(test.accuracy * (1 - test.accuracy) / test.n))
