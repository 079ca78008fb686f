"""Does a linear model on counts of words help beside the network? With and without it, and that linear model alone.

    python bench/biology/study_words.py [--sets tf_human_0 ...] [--designs none words ...] [--fractions .1 1]
        [--seeds 0 1 2]
    python bench/biology/study_words.py --show

Sets and rows are those of study_bias.py, and so are passes and settings but for "binding.toml": that is the shipped
configuration, words and JASPAR apart from the network ("pairs": with `motif_pairs = 16`; "placed": with `placed = 2`
and learned positions, chosen on seed 0 of promoter300_tata by its validation AUC). Every cell appends a line to
bench/results/study_words.jsonl: the validation AUC as it rises, and the test AUC of the weights with the best one, as
`gattn train` keeps them: on one strand (`test_auc`) and as the mean over both where training turned strands
(`test_auc_both`); of "binding.toml" and "CNN" `test_auc` is over both strands. Linear models, see linear.py: "6-mers",
"gapped" (pairs of 3-mers with gaps as well), "motifs" (strengths of all JASPAR matrices), "gapped, motifs", and
"placed" (the two bases at each place, of aligned sequences). They are logistic regressions, and their penalty is
chosen on the validation set. "CNN" is a convolutional network in PyTorch, see cnn.py, trained for 16 passes and on
both strands where the task has two.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bench.biology.cnn import convolutional
from bench.biology.linear import Parts, Words, beside, fitted, motif_strengths, placed_words, standardised
from bench.biology.study_bias import SETS, VOCABULARY, Trial, fraction_of, load, study
from bench.biology.study_motifs import matrices, vocabulary_for
from bench.record import ROOT, choose_device, lines_of, write
from gattn_tg.data import LabelledSequences
from gattn_tg.metrics.classes import measure
from gattn_tg.models.captured.strands import over_strands
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.motif.from_matrices import matrices_of, scored
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.tasks.apart import Apart
from gattn_tg.training.tasks.classify import Classify
from gattn_tg.training.tasks.filters import Known, Starts, begin
from gattn_tg.training.tasks.labelled import DataSettings

BENCH = "study_words"
WORDS = {"kmers": 6, "kmer_gaps": 6}
FILTERS = {"filters": 32, "filter_width": 15}
JASPAR = {"filters": len(matrices()), "filter_width": 15, "filter_rate": 0.0}  # all matrices, as they are
# What changes from the network and the settings of study_bias.py.
DESIGNS: dict[str, dict[str, Any]] = {
    "none": {},
    "pool both": {"pool": "both"},
    "words": WORDS,
    "words, pool both": {**WORDS, "pool": "both"},
    "words, key": {**WORDS, "motif": "key"},
    "words, dropout": {**WORDS, "dropout": 0.2},
    # strengths of motifs: to the head; as an input too; as a bias too
    "filters": FILTERS,
    "filters input": {**FILTERS, "embed_motifs": True},
    "filters key": {**FILTERS, "motif": "key", "per_head": True},
    "filters pair": {**FILTERS, "motif": "pair", "per_head": True},
    # of which 15 begin as JASPAR matrices that the training rows choose
    "jaspar filters": {**FILTERS, "chosen": True},
    "jaspar filters pair": {**FILTERS, "motif": "pair", "per_head": True, "chosen": True},
    # all matrices of JASPAR to the linear model
    "jaspar": JASPAR,
    "words, jaspar": {**WORDS, **JASPAR},
    "words, jaspar, slow": {**WORDS, **JASPAR, "learning_rate": 3e-4, "min_learning_rate": 1e-6},
    "words, jaspar, still": {**WORDS, **JASPAR, "learning_rate": 1e-7, "min_learning_rate": 1e-8},  # linear models only
    # which word stands at each place, for sequences aligned to a site
    "placed 1": {"placed": 1},
    "placed 2": {"placed": 2},
    "placed 2, learned": {"placed": 2, "positions": "learned"},
    "placed 2, still": {"placed": 2, "learning_rate": 1e-7, "min_learning_rate": 1e-8},
    "placed 2, slow": {"placed": 2, "learning_rate": 3e-4, "min_learning_rate": 1e-6},
    "placed 2, fast": {"placed": 2, "kmer_rate": 8.0},
    "words, jaspar, placed 2": {**WORDS, **JASPAR, "placed": 2},
    "words, jaspar filters": {**WORDS, **FILTERS, "chosen": True},
    "words, jaspar filters pair": {**WORDS, **FILTERS, "motif": "pair", "per_head": True, "chosen": True},
}
COUNTED = {"6-mers": (6, 0), "gapped": (6, 6)}  # words of linear models: bases, gaps at most
BOTH = "gapped, motifs"  # the two of them in one model: the strongest linear model here
PLACED = "placed"  # which two bases stand at each place
LINEAR = (*COUNTED, "motifs", BOTH, PLACED)
SHIPPED = "binding.toml"
SHIPPED_WITH: dict[str, dict[str, Any]] = {  # and what is changed of it
    SHIPPED: {}, f"{SHIPPED}, pairs": {"motif_pairs": 16},
    f"{SHIPPED}, placed": {"placed": 2, "positions": "learned"},  # for sequences that are aligned to a site
    f"{SHIPPED}, placed, least": {"placed": 2, "positions": "learned", "least_steps": 600},
}  # fmt: skip
CNN = "CNN"


def network_of(
    trial: Trial, parts: dict[str, LabelledSequences], passes: int, seed: int, flips: bool
) -> dict[str, Any]:
    """Train a network, and what it reached."""
    train = parts["train"]

    def begin_all(model: SequenceClassifier) -> None:
        if model.filters is not None:
            of_set = matrices_of(vocabulary_for(train)) if trial.chooses else []
            begin(model, jaspar() if trial.settings.filter_rate == 0 else of_set, train, seed)

    curve = trial.train(train, parts["valid"], passes, seed, flips, keeps_best=True, begins=begin_all)
    test = parts["test"]
    found = {"curve": curve, "passes": passes, "test_auc": round(trial.auc(test), 4)}
    if flips:
        both = over_strands(trial.forward, VOCABULARY)(*test.inputs)
        found["test_auc_both"] = round(measure(test.labels, both).auc, 4)
    return found


def shipped(
    parts: dict[str, LabelledSequences], seed: int, flips: bool, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Train the shipped configuration, and what the whole and each of its parts reached."""
    config = TrainConfig.from_toml(ROOT / "examples" / "configs" / SHIPPED)
    train, valid, test = (parts[name] for name in ("train", "valid", "test"))
    given = {"n_classes": len(train.label_names), "max_length": train.width, "merge_strands": flips}
    of_training = {name: value for name, value in changes.items() if hasattr(config.train, name)}
    of_model = {name: value for name, value in changes.items() if name not in of_training}
    shape = replace(config.model_settings(ClassifierConfig, given), filters=len(matrices()), **of_model)
    settings = replace(config.train, seed=seed, reverse_complement=flips, **of_training)
    choose_device()
    model = SequenceClassifier(shape, seed=seed)
    task = Classify(model, train, valid, VOCABULARY, settings, held_out=test)
    begin(model, jaspar(), train, seed, Known(task.readout, task.truth(train)))
    fitted = Fit(task, settings).run()
    if fitted.interrupted:
        raise SystemExit(f"{BENCH}: stopped at step {fitted.step}; no line is written of a run that is not whole")
    outcome = task.outcome("test")
    assert outcome is not None
    alone = Apart(model, task.readout, outcome.truth, test, VOCABULARY, task.batch_size, None).values("auc")
    assert model.blend is not None
    return {"curve": [(int(x.epoch * len(train)), round(x.metrics["auc"], 4)) for x in fitted.validations],
            "passes": len(fitted.validations), "weights": model.blend.weight.numpy().tolist(),
            "test_auc": round(outcome.metrics()["auc"], 4),
            **{f"test_auc_{part}": round(value, 4) for part, value in alone.items()}}  # fmt: skip


@functools.cache
def jaspar() -> Starts:
    """All matrices, as `[data] matrices = "jaspar"` takes them."""
    return scored([counts for _, _, counts in matrices()], DataSettings(train="").matrices_pvalue)


def linear_of(design: str, parts: dict[str, LabelledSequences], flips: bool) -> dict[str, Any]:
    """Fit a linear model, and what it reached; strands are merged where the network is trained on both."""
    found = fitted(features_of(design, parts, flips), {name: part.labels for name, part in parts.items()})
    curve = [(len(parts["train"]), round(found["valid_auc"], 4))]
    return {"curve": curve, "strength": found["strength"], "test_auc": round(found["test_auc"], 4)}


def features_of(design: str, parts: dict[str, LabelledSequences], flips: bool) -> list[Parts]:
    """What a linear model is told; of several choices the validation set takes one."""
    if design == BOTH:
        (words,), (motifs,) = features_of("gapped", parts, flips), features_of("motifs", parts, flips)
        return beside(words, motifs)
    if design == PLACED:
        return [{name: placed_words(part, 2) for name, part in parts.items()}]
    if design in COUNTED:
        words = Words(*COUNTED[design], merges=flips)
        return [{name: words.counts(part) for name, part in parts.items()}]
    return [standardised({name: motif_strengths(jaspar(), JASPAR["filter_width"], part)
                          for name, part in parts.items()})]  # fmt: skip


def run(sets: Iterable[str], designs: Iterable[str], fractions: Iterable[float], seeds: Iterable[int]) -> None:
    """Train every cell that has no line yet: fractions outermost, small ones first."""
    done = {(x["set"], x["fraction"], x["design"], x["seed"]) for x in lines_of(BENCH)}
    trials: dict[tuple[ClassifierConfig, str, int], Trial] = {}
    data: dict[str, dict[str, LabelledSequences]] = {}
    for fraction, name, design, seed in itertools.product(sorted(fractions), sets, designs, seeds):
        if (name, fraction, design, seed) in done:
            continue
        if name not in data:
            data[name] = load(name)
        task = SETS[name]
        train = fraction_of(data[name]["train"], fraction, seed)
        parts = {**data[name], "train": train}
        start = time.perf_counter()
        if design in SHIPPED_WITH:
            found = shipped(parts, seed, task.flips, SHIPPED_WITH[design])
        elif design == CNN:
            found = convolutional(parts, seed, task.flips)
        elif design in LINEAR:
            found = linear_of(design, parts, task.flips)
        else:
            network = replace(task.network, merge_strands=task.flips)
            key = (network, design, train.width)
            if key not in trials:
                trials[key] = Trial(network, DESIGNS[design], train)
            found = network_of(trials[key], parts, task.passes[fraction], seed, task.flips)
        seconds = time.perf_counter() - start
        write(BENCH, {"set": name, "fraction": fraction, "design": design, "seed": seed, "examples": len(train),
                      **found, "seconds": round(seconds, 1)})
        best = max(value for _, value in found["curve"])
        print(f"{name} {fraction:g} {design} seed {seed}: validation {best:.4f}, test AUC {found['test_auc']:.4f}, "
              f"both strands {found.get('test_auc_both', '-')}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    study(BENCH, __doc__, run, [*DESIGNS, *LINEAR, *SHIPPED_WITH, CNN], ["none", "words", *LINEAR], [0.1])
