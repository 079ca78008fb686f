"""Does a motif bias help? The same classifier with and without it, on four labelled sets, fractions of them, and seeds.

    python bench/biology/study_bias.py [--sets tf_human_0 ...] [--designs none key ...] [--fractions .1 .25 1]
        [--seeds 0 1 2]
    python bench/biology/study_bias.py --show

Every cell (set, fraction, design, seed) trains for a fixed number of examples and appends one JSON line to
bench/results/study_bias.jsonl: the validation AUC as it rises, and the test AUC of the last weights. Cells that are in
the file already are skipped, so the study goes on where it stopped. Designs of one cell see the same rows in the same
order; a design's network is compiled once and set back to new weights for every cell. `--show` prints the tables.

tf_human_0 is the set on which CpG knowledge can help (CpG observed/expected alone has AUC .82), tf_human_3 (.545) and
tf_mouse_0 are controls, promoter300_tata asks for TATA promoters among other stretches with a TATA box.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict

from bench.biology.study_motifs import annotated, vocabulary_for
from bench.biology.study_table import show
from bench.record import ROOT, choose_device, lines_of, write
from gattn_tg.data import LabelledSequences, encode_labelled, split
from gattn_tg.io import read_labelled
from gattn_tg.machine import threads
from gattn_tg.metrics.classes import measure
from gattn_tg.models.captured.forward import sequence_answers
from gattn_tg.models.captured.inputs import Feed
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.motif import MotifVocabulary
from gattn_tg.training.keep.state import placed, restore, snapshot
from gattn_tg.training.loop.parameters import multiple
from gattn_tg.training.loop.schedule import learning_rate
from gattn_tg.training.loop.step import Step
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.classify import Classify

DATA = ROOT.parent / "shared" / "data" / "labelled"
VOCABULARY = MotifVocabulary.default()
SETTINGS = TrainSettings(batch_size=64, learning_rate=3e-3, min_learning_rate=1e-5, warmup_steps=100, weight_decay=0.05,
                         motif_rate=3.0, reverse_complement=True)
NETWORK = ClassifierConfig(n_classes=2, width=64, n_layers=1, n_heads=4, stem_kernel=9, positions="rope", pool="mean",
                           motif="none", embed_motifs=False, dropout=0.0)

OF_TRAINING = ("motif_rate", "filter_rate", "kmer_rate", "learning_rate", "min_learning_rate",
               "ema_decay")  # of a design, not its network
# What changes from NETWORK and SETTINGS; "none" is plain attention with rotary positions.
DESIGNS: dict[str, dict[str, Any]] = {
    "none": {},
    "key": {"motif": "key"},
    "pair": {"motif": "pair"},
    "learned": {"positions": "learned"},           # learned absolute positions instead of RoPE, no bias
    "embed": {"embed_motifs": True},               # motif ids as inputs, no bias
    "pair+embed": {"motif": "pair", "embed_motifs": True},
    "pair heads": {"motif": "pair", "per_head": True},
    "pair x10": {"motif": "pair", "motif_rate": 10.0},
    "pair x30": {"motif": "pair", "motif_rate": 30.0},
    "key heads": {"motif": "key", "per_head": True},
    "same heads": {"motif": "same", "per_head": True},
    "ordered heads": {"motif": "ordered", "per_head": True},
    "key +1": {"motif": "key", "motif_start": 1.0},      # every motif begins with a bias of 1 and not of 0
    # motif ids of JASPAR matrices, chosen by the training rows, instead of those of the default vocabulary
    "jaspar key": {"motif": "key", "chosen": True},
    "jaspar pair": {"motif": "pair", "chosen": True},
    "jaspar embed": {"embed_motifs": True, "chosen": True},
    "jaspar key+embed": {"motif": "key", "embed_motifs": True, "chosen": True},
}


@dataclass(frozen=True)
class Set:
    """A labelled set: files, passes over it at each fraction, and how the plain layers differ."""

    files: tuple[str, str | None, str | None]  # train, validation (None: a tenth of train), test (None: a fifth)
    passes: dict[float, int]
    network: ClassifierConfig = NETWORK
    flips: bool = True


SETS = {
    "tf_human_0": Set(("tf_human_0_train", "tf_human_0_dev", "tf_human_0_test"), {0.1: 8, 0.25: 4, 1.0: 2}),
    "tf_human_3": Set(("tf_human_3_train", "tf_human_3_dev", "tf_human_3_test"), {0.1: 8, 0.25: 4, 1.0: 2}),
    "tf_mouse_0": Set(("tf_mouse_0_train", "tf_mouse_0_dev", "tf_mouse_0_test"), {0.1: 24, 0.25: 12, 1.0: 6}),
    # windows aligned to the start of transcription: the site lies at a fixed place, so both strands are not equal
    "promoter300_tata": Set(("promoter300_tata_train", None, "promoter300_tata_dev"), {0.1: 24, 0.25: 12, 1.0: 6},
                            flips=False),
    # junctions in the middle of 400 bases: donor, acceptor, neither
    "splice400": Set(("splice400", None, None), {0.1: 24, 0.25: 12, 1.0: 6}, replace(NETWORK, n_classes=3),
                      flips=False),
}


class Trial:
    """One design at one length of sequence: compiled once, trained from new weights as often as wanted."""

    def __init__(self, network: ClassifierConfig, design: Mapping[str, Any], data: LabelledSequences) -> None:
        choose_device()
        changes = dict(design)
        own = {name: changes.pop(name) for name in OF_TRAINING if name in changes}
        self.settings = replace(SETTINGS, **own)
        self.chooses = changes.pop("chosen", False)
        self.config = replace(network, max_length=data.width, **changes)
        self.model = SequenceClassifier(self.config)
        self.parameters = placed(self.model, None)
        task = Classify(self.model, data, data, VOCABULARY, self.settings)
        learnt = {name: p for name, p in self.parameters.items() if multiple(name, self.settings) > 0}
        self.step, self.forward = Step(task.loss, learnt, self.settings), sequence_answers(
            self.model, task.readout, task.batch_size)  # of one strand
        self.start = snapshot(self.step.state())

    def train(
        self, train: LabelledSequences, valid: LabelledSequences, passes: int, seed: int, flips: bool,
        keeps_best: bool = False, begins: Callable[[SequenceClassifier], None] | None = None, validations: int = 12,
    ) -> list[tuple[int, float]]:
        """Train from the weights of a seed; gives (examples seen, validation AUC) about as often as `validations` says.

        With `keeps_best` the weights with the best of these AUCs are left in the model, else the last ones. `begins`
        changes the first weights.
        """
        new = SequenceClassifier(self.config, seed=seed)
        if begins:
            begins(new)
        restore(self.parameters, snapshot(get_state_dict(new)))
        self.step.restore(self.start)
        settings = replace(self.settings, seed=seed, reverse_complement=flips)
        task = Classify(self.model, train, valid, VOCABULARY, settings)
        n_steps = passes * task.steps_per_epoch
        every = max(n_steps // validations, 1)
        curve: list[tuple[int, float]] = []
        best, feed = snapshot(self.parameters), Feed()
        for done in range(1, n_steps + 1):
            rate = learning_rate(done - 1, n_steps, peak=settings.learning_rate, floor=settings.min_learning_rate,
                                 warmup_steps=settings.warmup_steps)
            with Context(TRAINING=1):
                loss, _ = self.step([feed(task.batch(done - 1, 0, 0, 1))], rate)
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss} at step {done}")
            if done % every == 0 or done == n_steps:
                auc = round(self.auc(valid), 4)
                if keeps_best and auc > max((value for _, value in curve), default=0.0):
                    best = snapshot(self.parameters)
                curve.append((min(done * settings.batch_size, passes * len(train)), auc))
        if keeps_best:
            restore(self.parameters, best)
        return curve

    def auc(self, dataset: LabelledSequences) -> float:
        """Area under the ROC curve of the weights as they are."""
        return measure(dataset.labels, self.forward(*dataset.inputs)).auc


def load(name: str) -> dict[str, LabelledSequences]:
    """Train, validation and test of a set."""
    train, valid, test = (None if f is None else read_labelled(DATA / f"{f}.csv.gz") for f in SETS[name].files)
    whole = encode_labelled(train, VOCABULARY)
    given = {part: encode_labelled(table, VOCABULARY, whole.width, whole.label_names)
             for part, table in (("valid", valid), ("test", test)) if table is not None}  # fmt: skip
    shares = {part: len(whole) // n for part, n in (("valid", 10), ("test", 5)) if part not in given}
    sizes = [len(whole) - sum(shares.values()), *shares.values()]
    rows = split(whole.labels, sizes, 0, groups=train.sequences) if shares else [np.arange(len(whole))]
    return given | {part: whole.subset(some) for part, some in zip(("train", *shares), rows, strict=True)}


def fraction_of(train: LabelledSequences, fraction: float, seed: int) -> LabelledSequences:
    """A share of a training set, the same for all designs, another for every seed."""
    n = round(fraction * len(train))
    if n == len(train):
        return train
    return train.subset(split(train.labels, [n, len(train) - n], seed)[0])


def run(sets: Iterable[str], designs: Iterable[str], fractions: Iterable[float], seeds: Iterable[int]) -> None:
    """Train every cell that has no line yet: fractions outermost, small ones first."""
    done = {(x["set"], x["fraction"], x["design"], x["seed"]) for x in lines_of("study_bias")}
    trials: dict[tuple[ClassifierConfig, str, int], Trial] = {}
    data: dict[str, dict[str, LabelledSequences]] = {}
    for fraction, name, design, seed in itertools.product(sorted(fractions), sets, designs, seeds):
        if (name, fraction, design, seed) in done:
            continue
        if name not in data:
            data[name] = load(name)
        parts, task = data[name], SETS[name]
        train = fraction_of(parts["train"], fraction, seed)
        key = (task.network, design, train.width)
        if key not in trials:
            trials[key] = Trial(task.network, DESIGNS[design], train)
        start = time.perf_counter()
        valid, test_rows = parts["valid"], parts["test"]
        if trials[key].chooses:
            vocabulary = vocabulary_for(train)
            train, valid, test_rows = (annotated(part, vocabulary) for part in (train, valid, test_rows))
        curve = trials[key].train(train, valid, task.passes[fraction], seed, task.flips)
        test = trials[key].auc(test_rows)
        seconds = time.perf_counter() - start
        write("study_bias", {"set": name, "fraction": fraction, "design": design, "seed": seed, "curve": curve,
                             "examples": len(train), "passes": task.passes[fraction], "test_auc": round(test, 4),
                             "seconds": round(seconds, 1)})
        print(f"{name} {fraction:g} {design} seed {seed}: test AUC {test:.4f}, {seconds:.0f} s", flush=True)


def study(
    bench: str, about: str | None, run: Callable[..., None], designs: Iterable[str], default: list[str],
    fractions: list[float],
) -> None:
    """The command line of a study: runs what is asked for, and prints the tables of what is there."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--designs", nargs="+", choices=[*designs], default=default)
    parser.add_argument("--fractions", nargs="+", type=float, choices=(0.1, 0.25, 1.0), default=fractions)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--show", action="store_true", help="print the tables of what is there; train nothing")
    a = parser.parse_args()
    if not a.show:
        if not Path(DATA).is_dir():
            raise SystemExit(f"{bench}: {DATA} is absent; put the data of the README there")
        if a.threads:
            threads.set_threads(a.threads)
        run(a.sets, a.designs, a.fractions, a.seeds)
    show(bench)


if __name__ == "__main__":
    study("study_bias", __doc__, run, DESIGNS, ["none", "key", "pair", "learned"], [0.1, 0.25, 1.0])
