"""Inference of every model beside ONNX Runtime, compiled PyTorch and PyTorch as it is, from equal weights.

    python bench/models/inference.py [--only GenomicGPT ...] [--presets tiny small] [--threads 2]
                                     [--precisions float32 bfloat16] [--seconds 4]

NumPy arrays go in and come out, as in `gattn predict`. The peers are the models of `torch_models.py`, the `key` bias
folded into q and k, which is the faster form for each of them: PyTorch, for bfloat16 under autocast, and ONNX Runtime
with the graph that `torch.onnx.export` makes, in float32 only, which its CPU kernels are for. Outputs are compared
before anything is timed, and all take turns; a peer whose outputs are wrong is not timed, and the line says so. A
process for each model; one JSON line for each precision goes to bench/results/inference.jsonl. Needs the packages onnx,
onnxscript and onnxruntime.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from tinygrad.nn.state import get_state_dict

from bench.models.throughput import CASES, arrays
from bench.models.torch_models import TorchGPT
from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg.machine import threads
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.kinds import KINDS
from gattn_tg.training.loop.parameters import narrow

# what each network reads, in order: ours, and the peer
READ = {
    "SequenceClassifier": ("bases", "motif_ids", "lengths"),
    "MaskedEncoder": ("bases", "motif_ids", "lengths", "places"),
}
PEERS = {"MaskedEncoder": ("bases", "motif_ids", "places"), "TrackModel": ("bases", "motif_ids", "bins")}
PLAIN = ("bases", "motif_ids")
# largest difference of outputs by their largest value; bfloat16 has 8 bits, and sums of it differ in the second digit
ALLOWED = {"float32": 1e-4, "bfloat16": 0.1}
Run = Callable[[], np.ndarray]


def session(peer: torch.nn.Module, inputs: tuple[torch.Tensor, ...], n_threads: int) -> onnxruntime.InferenceSession:
    """The network of a peer in ONNX Runtime, all of its optimisations on."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.onnx")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it names every package that it could use
        with contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(peer, inputs, path, dynamo=True, optimize=True, verbose=False)
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def measured(kind: str, preset: str, n_threads: int, precisions: list[str], seconds: float) -> Iterator[dict[str, Any]]:
    """The cases of one model: outputs compared, then timed."""
    case = CASES[kind]
    batch, n = case.sizes[preset]
    torch.set_num_threads(n_threads)
    threads.set_threads(n_threads)
    model = KINDS[kind].model(KINDS[kind].config.preset(preset, **case.fields), seed=0)
    given = arrays(model, batch, n)
    weights = {name: x.numpy() for name, x in get_state_dict(model).items()}
    read = [given[name] for name in READ.get(kind, PLAIN)]
    named = [given[name].astype(np.int64) for name in PEERS.get(kind, PLAIN)]
    inputs = tuple(torch.from_numpy(x) for x in named)
    peer = case.peer(model.config, weights, True, is_causal=case.peer is TorchGPT).eval().requires_grad_(False)
    compiled, onnx = torch.compile(peer), session(peer, inputs, n_threads)
    feeds = {x.name: array for x, array in zip(onnx.get_inputs(), named, strict=True)}
    for precision in precisions:
        is_narrow = precision == "bfloat16"
        if is_narrow:
            narrow(get_state_dict(model))
        ours = Forward(model, len(read[0]))
        runners: dict[str, Run] = {
            "gattn_tg": functools.partial(ours.whole, *read), "onnx": lambda: onnx.run(None, feeds)[0],
            "compiled": functools.partial(torch_answers, compiled, inputs, is_narrow),
            "eager": functools.partial(torch_answers, peer, inputs, is_narrow),
        }
        found = {name: np.asarray(run(), np.float64) for name, run in runners.items()}
        size = np.abs(found["onnx"]).max()
        apart = {name: float(np.abs(x - found["onnx"]).max() / size) for name, x in found.items()}
        wrong = [name for name, x in apart.items() if not x < ALLOWED[precision]]  # NaN is wrong too
        assert "gattn_tg" not in wrong, f"{kind} {preset} {precision}: outputs differ: {apart}"
        runners = {name: run for name, run in runners.items() if name not in wrong}
        times = alternate(runners, 25, seconds, warm=2, rest=REST_SECONDS)
        medians = {name: float(np.median(x)) for name, x in times.items()}
        yield {
            "kind": kind, "preset": preset, "precision": precision, "threads": n_threads, "batch": batch, "n": n,
            "parameters": model.n_parameters, "apart": {name: x for name, x in apart.items() if name not in wrong},
            "wrong": wrong, "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__, "times": {name: summary(x) for name, x in times.items()},
            "ratio": {name: round(x / medians["gattn_tg"], 3) for name, x in medians.items() if name != "gattn_tg"},
        }


def torch_answers(
    network: Callable[..., torch.Tensor], inputs: tuple[torch.Tensor, ...], is_narrow: bool
) -> np.ndarray:
    """What a peer in PyTorch says."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=is_narrow):
        return network(*inputs).float().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--presets", nargs="+", choices=("tiny", "small", "base"), default=["tiny", "small"])
    parser.add_argument("--precisions", nargs="+", choices=tuple(ALLOWED), default=list(ALLOWED))
    parser.add_argument("--threads", nargs="+", type=int, default=[2])
    parser.add_argument("--seconds", type=float, default=4.0, help="of timing per case, after compiling")
    parser.add_argument("--dry", action="store_true", help="keep no line")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    for kind, preset, n_threads in [(k, p, t) for k in a.only for p in a.presets for t in a.threads]:
        if not a.here:  # a process each: the threads of a peer keep their cores busy for a while
            command = [sys.executable, __file__, "--here", "--only", kind, "--presets", preset, "--precisions",
                       *a.precisions, "--threads", str(n_threads), "--seconds", str(a.seconds), *["--dry"] * a.dry]
            subprocess.run(command, check=True)
            continue
        for line in measured(kind, preset, n_threads, a.precisions, a.seconds):
            if not a.dry:
                write("inference", line)
            shown = ("kind", "preset", "precision", "threads", "ratio", "apart")
            print(json.dumps({name: line[name] for name in shown}), flush=True)


if __name__ == "__main__":
    main()
