"""A tiny GenomicGPT on E. coli, yeast and human windows against Markov models of the same data.

    python bench/biology/language.py [--minutes 20] [--folder /tmp/language] [--threads 2]

The model is trained by `gattn_tg.training` for as many steps as fit into the time, compiling, validation and
checkpoints included; a run that was stopped goes on with the same command. Then the model and Markov models of orders 0
to 11 (plain with pseudo-counts, and interpolated), which count the very stretches the model learnt from, predict every
base of the held-out blocks but the first half window of each. The bar is the plain Markov model of order 8. Last, the
speed of generation with and without the cache of keys and values. One JSON line per part goes to
bench/results/language.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
from tinygrad import Tensor, TinyJit

from bench.biology import markov
from bench.record import ROOT, alternate, summary, write
from gattn_tg.data.genomes.corpus import Corpus
from gattn_tg.machine import threads
from gattn_tg.models import checkpoint
from gattn_tg.models.generate import Generator
from gattn_tg.models.gpt import GenomicGPT
from gattn_tg.models.likelihood import BaseMetrics, Likelihood
from gattn_tg.motif import MotifVocabulary
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.watch import Trained, Validated, Watcher
from gattn_tg.training.run import train
from gattn_tg.training.tasks.language import Language

DATA = ROOT.parent / "shared" / "data"
GENOMES = ("genomes/ecoli536_NC_008253.fa.gz", "genomes/sacCer3.fa.gz", "tracks/hg38_borzoi_tiny_seqs.fa.gz")
WIDTH, BAR, N_NEW, FEW = 512, "order 8, 1 strand", 128, 40
SPARE_SECONDS = 45.0  # of the time, for compiling, the last validation and checkpoints
PROBED_SHARE = 0.9  # of the speed of the probe: the machine may get slower
TOML = """\
[model]
kind = "GenomicGPT"
preset = "tiny"
motif = "key"
words = [2, 4, 6, 8]
context = {width}

[data]
genomes = [{genomes}]
width = {width}
n_valid = 128

[train]
steps = {steps}
batch_size = 32
learning_rate = 3e-3
min_learning_rate = 3e-5
reverse_complement = true
validate_every = {every}
checkpoint_minutes = 2
keep = 2
log_every = 10
"""


class Progress(Watcher):
    """Shows a line per validation, remembers the speed, and ends the run when its time is over."""

    def __init__(self, seconds: float = float("inf")) -> None:
        self.seconds, self.speeds, self.is_over = seconds, [], False

    def trained(self, record: Trained) -> None:
        if record.positions_per_s:
            self.speeds.append(record.positions_per_s)
        if record.seconds > self.seconds and not self.is_over:
            self.is_over = True
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C: the trainer keeps a checkpoint and returns

    def validated(self, record: Validated) -> None:
        print(f"step {record.step}  {record.seconds:.0f} s  train {record.train_loss / np.log(2):.4f} bits  held out "
              f"{record.metrics['bits_per_base']:.4f}", flush=True)


def configuration(folder: Path, steps: int, every: int) -> TrainConfig:
    """The TOML file of a run of so many steps, written and read."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"language_{steps}.toml"
    genomes = ", ".join(json.dumps(str(DATA / name)) for name in GENOMES)
    path.write_text(TOML.format(width=WIDTH, steps=steps, every=every, genomes=genomes), encoding="utf-8")
    return TrainConfig.from_toml(path)


def trained(folder: Path, minutes: float) -> tuple[Language, dict[str, object]]:
    """The task with the trained model in it, and how it was trained."""
    plan = folder / "plan.json"
    if not plan.is_file():
        probe = Progress()
        train(configuration(folder, FEW, FEW), folder / "probe", mode="overwrite", watcher=probe).fitted.finished()
        speed = float(np.median(probe.speeds))
        per_step = 32 * WIDTH / (speed * PROBED_SHARE)
        steps = max(int((minutes * 60 - SPARE_SECONDS) / per_step), FEW)
        plan.write_text(json.dumps({"steps": steps, "probed_bases_per_s": round(speed)}), encoding="utf-8")
    steps = json.loads(plan.read_text(encoding="utf-8"))["steps"]
    print(f"{steps} steps planned", flush=True)
    watcher = Progress(minutes * 60)
    run = train(configuration(folder, steps, max(steps // 8, 1)), folder / "run", mode="resume", watcher=watcher)
    if not watcher.is_over:
        run.fitted.finished()
    task = run.task
    assert isinstance(task, Language)
    about = {"steps": run.fitted.step, "steps_planned": steps, "seconds": round(run.fitted.seconds, 1),
             "bases_seen": run.fitted.step * 32 * WIDTH, "parameters": task.model.n_parameters,
             "validations": [[v.step, round(v.seconds), round(v.metrics["bits_per_base"], 4)]
                             for v in run.fitted.validations]}
    if watcher.speeds:
        about["bases_per_s"] = round(float(np.median(watcher.speeds)))
    return task, about


def judged(task: Language) -> dict[str, float]:
    """Bits per base of the whole held-out blocks, all together and by source."""
    corpus, likelihood = task.corpus, Likelihood(task.model, task.vocabulary, 32)
    every, found = BaseMetrics(WIDTH // 2), {}
    for source, windows in by_source(corpus).items():
        part, first = BaseMetrics(WIDTH // 2), 0
        for log2_p in likelihood(windows):
            for metrics in (every, part):
                metrics.add(log2_p, windows[first : first + len(log2_p)])
            first += len(log2_p)
        found[source] = round(part.result()["bits_per_base"], 4)
    total = every.result()
    return {"all": round(total["bits_per_base"], 4), **found, "perplexity": round(total["perplexity"], 4),
            "accuracy": round(total["accuracy"], 4), "bases": total["n"]}


def by_source(corpus: Corpus) -> dict[str, np.ndarray]:
    """Held-out windows of each genome."""
    found: dict[str, list[np.ndarray]] = {"E. coli": [], "yeast": [], "human": []}
    for stretch in corpus.valid:
        name = corpus.contigs[stretch.contig].name
        source = "E. coli" if "NC_008253" in name else "human" if ":" in name else "yeast"
        bases = corpus.bases(stretch)
        found[source] += [bases[at : at + WIDTH] for at in range(0, len(bases) - WIDTH + 1, WIDTH // 2)]
    return {source: np.stack(rows) for source, rows in found.items() if rows}


def speed_of_generation(model: GenomicGPT, vocabulary: MotifVocabulary) -> dict[str, object]:
    """Milliseconds per base of one sequence with the cache, and with the whole window computed for every base."""
    generator, prompt = Generator(model, vocabulary), np.random.default_rng(0).integers(0, 4, 300).astype(np.uint8)
    whole = TinyJit(lambda bases, ids: model(bases, ids).realize())
    inputs = [Tensor(np.zeros((1, WIDTH), np.uint8)).realize() for _ in range(2)]

    def with_cache() -> None:
        generator([prompt], N_NEW)

    def without() -> None:
        for _ in range(FEW // 4):
            whole(*inputs).numpy()

    times = alternate({"with_cache": with_cache, "without": without}, 9, seconds=60)
    per_base = {"with_cache": summary(times["with_cache"] / N_NEW), "without": summary(times["without"] / (FEW // 4))}
    ratio = per_base["without"]["median_ms"] / per_base["with_cache"]["median_ms"]
    return {"per_base": per_base, "context": WIDTH, "new_bases": N_NEW, "times_faster": round(ratio, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/gattn_language"))
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    if not DATA.is_dir():
        print("skipped: ../shared/data is absent")
        return
    threads.set_threads(a.threads)
    began = time.perf_counter()
    task, about = trained(a.folder, a.minutes)
    bits = judged(task)
    windows = by_source(task.corpus)
    bars = markov.table(task.corpus, np.concatenate(list(windows.values())), WIDTH // 2)
    best = min(bars, key=bars.__getitem__)
    line = {"part": "bits", "threads": a.threads, "minutes": a.minutes, "gpt": bits, "markov": bars, "bar": bars[BAR],
            "below_bar": round(bars[BAR] - bits["all"], 4), "best_markov": [best, bars[best]], **about,
            "wall_seconds": round(time.perf_counter() - began, 1)}
    write("language", line)
    print(f"GenomicGPT {bits['all']:.4f} bits per base in {about['seconds']} s; Markov order 8 {bars[BAR]:.4f}; best "
          f"Markov model ({best}) {bars[best]:.4f}", flush=True)
    model = checkpoint.load(a.folder / "run" / "best", kind="GenomicGPT").model
    speeds = speed_of_generation(model, task.vocabulary)
    write("language", {"part": "generation", "threads": a.threads, **speeds})
    print(json.dumps(speeds))


if __name__ == "__main__":
    main()
