"""Exported models beside the model itself on one thread: WebAssembly in node and in a page of Chromium, and a library.

    python bench/models/export.py [--models splice small tracks language] [--targets so wasm page gpu] [--rounds 10]

Weights are random. Every target answers the same rows with the same motif ids, and its answers are compared with the
model's before it is timed. "native" is the model on one thread with kernels for vectors of 128 bits, which are what
WebAssembly has; a library is beside the model with the vectors of this machine, as it is compiled for them. A page asks
one of its workers; "gpu" is a page that asks WebGPU, of a GPU that Chromium plays on all cores (SwiftShader). `start_s`
is from bytes to the first question: unpacking, compiling, copying weights. One JSON line per model and target goes to
bench/results/export.jsonl; `--no-lines` writes none. A target whose program (node, chromium) is missing is left out,
and said so.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("DEV", "CPU")

import numpy as np
from tinygrad.helpers import Context

from bench.record import alternate, summary, write
from gattn_tg.cli.demo.learn import MODEL
from gattn_tg.export.program import BROWSER_BITS, Program, program_of, wgsl_of
from gattn_tg.export.targets import files_of
from gattn_tg.machine.captured import Captured, plain_cpu
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.checkpoint import Checkpoint, save
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts.bases import NextBaseReadout
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout
from gattn_tg.motif import MotifVocabulary, annotate, causal_ids
from tests.browser import Browser

ALLOWED = 1e-4  # of the largest answer: float32, summed in tiles of other widths
VOCABULARY = MotifVocabulary.default()
TRACKS = TrackHead(head="human", tracks=tuple("abcd"), scale=(1.0,) * 4, soft_clip=0.0, window_bp=8192)
LABELS = ClassReadout(labels=("a", "b", "c"))
MODELS: dict[str, tuple[str, Any, Readout]] = {
    "splice": ("SequenceClassifier", MODEL, LABELS),  # that of `gattn demo`
    "small": ("SequenceClassifier", {"preset": "small", "n_classes": 3, "max_length": 512}, LABELS),
    "tracks": ("TrackModel", {"preset": "small", "heads": (("human", 4),), "bin_bp": 32, "crop_bp": 1024},
               TrackReadout(heads=(TRACKS,))),
    "language": ("GenomicGPT", {"preset": "small"}, NextBaseReadout(width=512)),
}  # fmt: skip
TIMED = """
let answers, times = [];
for (const end = performance.now() + WARM_MS; performance.now() < end;) answers = await run();
for (let i = 0; i < rounds; i++) {
  const start = performance.now();
  answers = await run();
  times.push(performance.now() - start);
}
"""
NODE = """
import {readFileSync} from "node:fs";
const began = performance.now(), {load} = await import("./model.mjs"), model = await load();
const start = performance.now() - began, {bases, motifs, lengths, rounds} = JSON.parse(readFileSync("asked.json"));
const given = [Uint8Array.from(bases), lengths, Uint8Array.from(motifs)], run = () => model.run(...given);
TIMED
console.log(JSON.stringify({start, times, answers: [...answers]}));
"""
PAGE = """(async () => {
  const began = performance.now();
  pool = new Pool(PAYLOAD, document.getElementById("worker").textContent, !!PAYLOAD.gpu);
  await pool.ready;
  if (PAYLOAD.gpu && pool.note !== "on the GPU") throw new Error(pool.note);
  const start = performance.now() - began, {bases, motifs, lengths, rounds} = ASKED;
  const given = {bases: Uint8Array.from(bases), lengths: Int32Array.from(lengths), motifs: Uint8Array.from(motifs)};
  const run = async () => (await pool.ask(pool.workers[0], given)).answers;
  TIMED
  return {start, times, answers: [...answers]};
})()"""
WARM_MS = 5000  # untimed: an engine compiles what runs often once more, and better


@dataclass(frozen=True)
class Asked:
    """The rows that everything answers, and how often."""

    bases: np.ndarray
    motifs: np.ndarray
    lengths: np.ndarray
    rounds: int

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """As a library takes them."""
        return self.bases, self.motifs, self.lengths

    @property
    def told(self) -> str:
        """As JSON for a script."""
        return json.dumps({"bases": self.bases.ravel().tolist(), "motifs": self.motifs.ravel().tolist(),
                           "lengths": self.lengths.tolist(), "rounds": self.rounds})  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a target said, and how long it took: to begin, and in seconds each time."""

    answers: np.ndarray
    start_s: float
    times: np.ndarray


def checkpoint_of(name: str) -> Checkpoint:
    """A model with random weights."""
    kind_name, sizes, readout = MODELS[name]
    kind = KINDS[kind_name]
    if isinstance(sizes, dict):
        sizes = kind.config.preset(sizes["preset"], **{key: x for key, x in sizes.items() if key != "preset"})
    return Checkpoint(kind.model(sizes, seed=0), VOCABULARY, readout)


def asked_of(program: Program, rounds: int) -> Asked:
    """Random rows."""
    form = program.form
    bases = np.random.default_rng(0).integers(0, 4, (form.rows, form.width)).astype(np.uint8)
    is_causal = form.about["task"] == "next"
    motifs = np.ascontiguousarray((causal_ids if is_causal else annotate)(bases, VOCABULARY))
    return Asked(bases, motifs, np.full(form.rows, form.width, np.int32), rounds)


def in_wgsl(checkpoint: Checkpoint) -> Captured:
    """The model for GPUs of browsers."""
    with tempfile.TemporaryDirectory() as folder:
        save(checkpoint.model, Path(folder) / "c", readout=checkpoint.readout, vocabulary=VOCABULARY)
        return wgsl_of(Path(folder) / "c")


@contextmanager
def native(program: Program, asked: Asked, bits: int | None) -> Iterator[Callable[[], np.ndarray]]:
    """The model itself on one thread, with vectors of so many bits."""
    form = program.form
    given = asked.arrays if form.reads_lengths else asked.arrays[:2]
    with Context(DEV="CPU"), plain_cpu(bits):
        forward = Forward(form.function, form.rows)
        yield lambda: forward.whole(*given)


def in_python(path: Path, program: Program, asked: Asked) -> tuple[Callable[[], np.ndarray], float]:
    """A library, and how long it takes to begin."""
    began = time.perf_counter()
    library = ctypes.CDLL(str(path))
    library.gattn_memory_bytes.restype = ctypes.c_size_t
    memory = np.empty(library.gattn_memory_bytes(), np.uint8)
    if (weights := path.with_suffix(".weights")).exists():
        held = np.memmap(weights, np.uint8, "r")
        library.gattn_use_weights(held.ctypes.data_as(ctypes.c_void_p))
    start = time.perf_counter() - began
    out = np.empty((program.form.rows, *program.shape.answers), np.float32)
    given = [x.ctypes.data_as(ctypes.c_void_p) for x in (*asked.arrays, out, memory)]

    def run() -> np.ndarray:
        library.gattn_run(*given)
        return out

    return run, start


def in_node(path: Path, asked: Asked) -> Found:
    """A module of JavaScript in node."""
    path.rename(path.with_suffix(".mjs"))
    (path.parent / "asked.json").write_text(asked.told)
    (path.parent / "ask.mjs").write_text(_timed(NODE))
    done = subprocess.run(["node", "ask.mjs"], cwd=path.parent, check=True, capture_output=True, text=True)
    return _read(json.loads(done.stdout))


def in_chromium(path: Path, asked: Asked) -> Found:
    """A page, which has a worker for each core, of which one is asked."""
    executable = shutil.which("chromium")
    assert executable is not None  # looked for before
    with closing(Browser(executable, path.parent / "profile", has_gpu=True)) as browser:
        browser.open(path)
        return _read(browser.run(_timed(PAGE).replace("ASKED", asked.told, 1)))


def _timed(script: str) -> str:
    return script.replace("TIMED", TIMED.replace("WARM_MS", str(WARM_MS)), 1)


def _read(told: dict[str, Any]) -> Found:
    return Found(np.array(told["answers"], np.float32), told["start"] / 1e3, np.array(told["times"]) / 1e3)


TARGETS = {"so": "model.so", "wasm": "model.js", "page": "model.html", "gpu": "model.html"}
NEEDS = {"wasm": "node", "page": "chromium", "gpu": "chromium"}


def measured(name: str, target: str, rounds: int) -> dict[str, Any]:
    """One model as one target."""
    checkpoint, bits = checkpoint_of(name), None if target == "so" else BROWSER_BITS
    began = time.perf_counter()
    program = program_of(checkpoint, bits)
    if target == "gpu":
        program = replace(program, wgsl=in_wgsl(checkpoint))
    files = files_of(program, Path(TARGETS[target]))
    export_s, asked = time.perf_counter() - began, asked_of(program, rounds)
    with tempfile.TemporaryDirectory() as folder, native(program, asked, bits) as model:
        for file, content in files.items():
            (Path(folder) / file).write_bytes(content)
        path, want = Path(folder) / TARGETS[target], model().copy()
        if target == "so":
            run, start_s = in_python(path, program, asked)
            answers = run().copy()
            times = alternate({"native": model, "target": run}, rounds)
        else:
            found = (in_node if target == "wasm" else in_chromium)(path, asked)
            answers, start_s = found.answers, found.start_s
            times = {**alternate({"native": model}, rounds), "target": found.times}
    difference = float(np.abs(answers.reshape(want.shape) - want).max() / np.abs(want).max())
    if not difference <= ALLOWED:
        raise SystemExit(f"{name}, {target}: answers differ by {difference:.1e} of the largest, {ALLOWED:.0e} is "
                         "allowed")
    told = {side: summary(taken) for side, taken in times.items()}
    return {
        "model": name, "target": target, "parameters": int(checkpoint.model.n_parameters), "rows": program.form.rows,
        "width": program.form.width, "bytes": sum(map(len, files.values())), "export_s": round(export_s, 2),
        "start_s": round(start_s, 3), "times": told, "difference": difference,
        "ratio": round(told["target"]["median_ms"] / told["native"]["median_ms"], 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--no-lines", action="store_true", help="write no lines")
    a = parser.parse_args()
    for name, target in itertools.product(a.models, a.targets):
        if (needed := NEEDS.get(target)) and shutil.which(needed) is None:
            print(f"{target}: {needed} is not installed")
            continue
        line = measured(name, target, a.rounds)
        if not a.no_lines:
            write("export", line)
        print(json.dumps({key: line[key] for key in ("model", "target", "bytes", "export_s", "start_s", "ratio",
                                                     "difference")}), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
