"""Forward passes of models of other projects beside the originals in PyTorch: DNABERT-1, the Nucleotide Transformer
and Enformer.

    python bench/models/imports.py [--only dnabert_1 nt_v2_50m enformer] [--threads 1 2] [--rounds 10]

Real sizes and random weights, written by the classes of transformers and of enformer-pytorch and imported from their
files. Encoders give logits of all words of the same tokens, Enformer the human tracks of the same window of bases; the
answers are compared before anything is timed. PyTorch runs as it is, and compiled where `torch.compile` can. Memory is
the peak of a process that holds one of the two and runs it three times, less that of the same process before it holds a
model. Every case is a process of its own and one JSON line in bench/results/imports.jsonl, so a run that was stopped
goes on with `--only` and `--threads`. It needs transformers, and enformer-pytorch for Enformer.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("DEV", "CPU")
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
import transformers
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context

from bench.kernels.memory import CLEAR, RESET_PEAK, resident
from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg.machine import threads
from gattn_tg.models.imported.folder import read_folder
from gattn_tg.models.imported.reading import imported
from gattn_tg.models.imported.tracks.names import ENFORMER
from gattn_tg.models.imported.tracks.reading import imported_tracks

ALLOWED = 2e-5  # of the largest answer: both sum in float32, in other orders
SIDES = ("ours", "eager", "compiled")


@dataclass(frozen=True)
class Case:
    """An original with its vocabulary, or none where it reads bases, and how many of these it is given."""

    make: Callable[[], torch.nn.Module]
    vocabulary: list[str]
    batch: int
    tokens: int

    @property
    def given(self) -> np.ndarray:
        """Ids of words or bases."""
        words = (6, 6 + 4**6 - 1) if self.vocabulary else (0, 4)
        return np.random.default_rng(0).integers(*words, (self.batch, self.tokens))


class Gated(torch.nn.Module):
    """The perceptron of the Nucleotide Transformer v2, which transformers has not."""

    def __init__(self, width: int, inside: int) -> None:
        super().__init__()
        self.dense = torch.nn.Linear(width, 2 * inside, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, value = self.dense(x).chunk(2, -1)
        return torch.nn.functional.silu(gate) * value


def dnabert() -> torch.nn.Module:
    """The sizes of DNABERT-1 with words of 6 bases: those of BERT."""
    return transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=len(BERT)))


def nucleotide_transformer() -> torch.nn.Module:
    """The sizes of the Nucleotide Transformer v2 with 50 million weights."""
    config = transformers.EsmConfig(
        vocab_size=len(ESM), max_position_embeddings=2050, position_embedding_type="rotary", token_dropout=False,
        emb_layer_norm_before=False, pad_token_id=1, mask_token_id=2, hidden_size=512, num_hidden_layers=12,
        num_attention_heads=16, intermediate_size=2048,
    )
    model = transformers.EsmForMaskedLM(config)
    for layer in model.esm.encoder.layer:
        layer.intermediate, layer.output.dense = Gated(512, 2048), torch.nn.Linear(2048, 512, bias=False)
    return model


def enformer() -> torch.nn.Module:
    """The sizes of Enformer, whose attention is not left at the zeros that it begins with."""
    from enformer_pytorch import Enformer

    model: torch.nn.Module = Enformer.from_hparams()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "to_out.weight" in name:
                weights.normal_(0, weights.shape[1] ** -0.5)
    return model


WORDS = ["".join(word) for word in itertools.product("ATCG", repeat=6)]
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
ESM = ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", *WORDS, *"ATCGN", "<bos>"]
CASES = {
    "dnabert_1": Case(dnabert, BERT, 4, 512),
    "nt_v2_50m": Case(nucleotide_transformer, ESM, 1, 1000),
    "enformer": Case(enformer, [], 1, 196_608),
}


def runner(
    side: str, case: Case, model: torch.nn.Module, folder: Path, is_compared: bool = False
) -> Callable[[], np.ndarray]:
    """What gives the logits of all words, each side in the order of its own rows, or to be compared in theirs."""
    if not case.vocabulary:
        return runner_of_tracks(side, case, model, folder)
    ids = case.given
    if side != "ours":
        peer = torch.compile(model) if side == "compiled" else model

        def run_peer() -> np.ndarray:
            with torch.inference_mode():
                logits: np.ndarray = peer(input_ids=torch.tensor(ids)).logits.numpy()
            return logits

        return run_peer
    found = imported(folder)
    order = [case.vocabulary.index(name) for name in found.row_names]  # of our rows, there
    back = np.argsort(order)  # of their rows, here
    in_order = back if is_compared else None
    given = Tensor(back[ids].astype(np.int32)).realize()
    motifs = Tensor(np.zeros(ids.shape, np.uint8)).realize()
    lengths = Tensor(np.full(case.batch, case.tokens, np.int32)).realize()
    run = TinyJit(lambda x, m, n: found.model.words_of(found.model.of_tokens(x, m, n)).realize())

    def run_ours() -> np.ndarray:
        with Context(TRAINING=0):
            logits: np.ndarray = run(given, motifs, lengths).numpy()
        return logits if in_order is None else logits[..., in_order]

    return run_ours


def runner_of_tracks(side: str, case: Case, model: torch.nn.Module, folder: Path) -> Callable[[], np.ndarray]:
    """What gives the human tracks of a window."""
    bases = case.given.astype(np.uint8)
    if side != "ours":
        peer = torch.compile(model) if side == "compiled" else model
        hot = np.eye(4, dtype=np.float32)[bases]

        def run_peer() -> np.ndarray:
            with torch.inference_mode():
                tracks: np.ndarray = peer(torch.tensor(hot))["human"].numpy()
            return tracks

        return run_peer
    ours = imported_tracks(read_folder(folder), ENFORMER, case.tokens).model
    given, motifs = (Tensor(x).realize() for x in (bases, np.zeros_like(bases)))
    run = TinyJit(lambda x, m: ours(x, m).realize())

    def run_ours() -> np.ndarray:
        with Context(TRAINING=0):
            tracks: np.ndarray = run(given, motifs).numpy()
        return tracks

    return run_ours


def saved(case: Case, folder: Path) -> torch.nn.Module:
    """A new original, and its files."""
    torch.manual_seed(0)
    model = case.make().eval()
    if not case.vocabulary:  # whose weights of the trunk have two names each
        model.config.save_pretrained(folder)  # type: ignore[operator, union-attr]
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        return model
    model.save_pretrained(folder)  # type: ignore[operator]
    (folder / "vocab.txt").write_text("\n".join(case.vocabulary) + "\n")
    return model


def measured(name: str, n_threads: int, rounds: int) -> dict[str, Any]:
    """One case on so many threads: times of both, and how far apart their logits are."""
    case = CASES[name]
    torch.set_num_threads(n_threads)
    threads.set_threads(n_threads)
    with tempfile.TemporaryDirectory() as folder:
        model = saved(case, Path(folder))
        began = time.perf_counter()
        ours = runner("ours", case, model, Path(folder))
        load_s = time.perf_counter() - began
        compared = runner("ours", case, model, Path(folder), is_compared=True) if case.vocabulary else ours
    runners = {"ours": ours, "eager": runner("eager", case, model, Path())}
    truth, began = runners["eager"](), time.perf_counter()
    found = compared()
    first_s = time.perf_counter() - began
    error = float(np.abs(found - truth).max() / np.abs(truth).max())
    if not error <= ALLOWED:
        raise SystemExit(f"{name}: answers differ by {error:.1e} of the largest, {ALLOWED:.0e} is allowed")
    refused = ""
    try:
        compiled = runner("compiled", case, model, Path())
        compiled()
        runners["compiled"] = compiled
    except Exception as reason:  # whatever a compiler that is not there raises: the line says that there is none
        refused = type(reason).__name__
    taken = alternate(runners, rounds, 300.0, rest=REST_SECONDS)
    times = {side: summary(seconds) for side, seconds in taken.items()}
    best = min(times[side]["median_ms"] for side in times if side != "ours")
    return {
        "model": name, "parameters": sum(p.numel() for p in model.parameters()), "batch": case.batch,
        "tokens": case.tokens, "threads": n_threads, "difference": error, "load_s": round(load_s, 2),
        "first_s": round(first_s, 2), "times": times, "ratio": round(best / times["ours"]["median_ms"], 3),
        "not_compiled": refused, "transformers": transformers.__version__, "torch": torch.__version__,
        "memory_mib": {side: memory(name, side, n_threads) for side in ("ours", "eager")},
    }  # fmt: skip


def memory(name: str, side: str, n_threads: int) -> float:
    """MiB that one side takes, measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        saved(CASES[name], Path(folder))
        command = [sys.executable, __file__, "--only", name, "--threads", str(n_threads), "--alone", side, folder]
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def alone(name: str, side: str, folder: Path, n_threads: int) -> float:
    """The same, in this process."""
    torch.set_num_threads(n_threads)
    threads.set_threads(n_threads)
    before, case = resident("VmRSS"), CASES[name]
    CLEAR.write_text(RESET_PEAK)
    model = torch.nn.Module() if side == "ours" else case.make().eval()
    run = runner(side, case, model, folder)
    for _ in range(3):
        run()
    return round(resident("VmHWM") - before, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)  # in a process that the bench started
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if a.alone:
        print(alone(a.only[0], a.alone[0], Path(a.alone[1]), a.threads[0]))
        return
    for name, n_threads in itertools.product(a.only, a.threads):
        if not a.here:  # a process each, because PyTorch's threads of one case disturb the next
            command = [sys.executable, __file__, "--here", "--only", name, "--threads", str(n_threads), "--rounds",
                       str(a.rounds)]  # fmt: skip
            subprocess.run(command, check=True)
            continue
        line = measured(name, n_threads, a.rounds)
        write("imports", line)
        print(json.dumps({key: line[key] for key in ("model", "threads", "ratio", "difference", "memory_mib")}))


if __name__ == "__main__":
    main()
