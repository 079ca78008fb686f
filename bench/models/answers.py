"""Saturation mutagenesis and effects of variants per second, beside tangermeme with the same network in PyTorch.

    python bench/models/answers.py [--threads 1 2] [--rounds 5] [--presets tiny small]

A SequenceClassifier of random weights. Two rows: without motif ids, so that both sides do the same work, and with a
`key` bias, where ours finds the motifs of every mutant and allele anew and theirs is given ids that it keeps. The peer
is the network of torch_models.py with the bias folded into PyTorch's own attention, as it is and compiled, through
tangermeme's `saturation_mutagenesis` and `substitution_effect`, with the batch size of ours. Ours is `explain` and
`variants`, whole: sequences, genome and VCF are read, alleles compared with the genome, results made; theirs begins
with tensors. Effects are compared before anything is timed (without motif ids). One JSON line per case goes to
bench/results/answers.jsonl. It needs tangermeme.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("DEV", "CPU")

import numpy as np
import torch
from tangermeme.saturation_mutagenesis import saturation_mutagenesis
from tangermeme.variant_effect import substitution_effect
from tinygrad.nn.state import get_state_dict

import gattn_tg
from bench.models.torch_models import TorchClassifier
from bench.record import REST_SECONDS, alternate, summary, write
from gattn_tg.io import Record
from gattn_tg.machine import threads
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq import decode

LENGTH, SEQUENCES, VARIANTS, BATCH = 300, 1, 500, 128
ALLOWED = 2e-5  # between differences of logits of about 1
PLAIN = {"motif": "none", "embed_motifs": False}


class Asked(torch.nn.Module):
    """The log odds of the second class from one-hot bases (b, 4, n), as tangermeme gives them."""

    def __init__(self, network: TorchClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor, ids: torch.Tensor | None = None) -> torch.Tensor:
        bases = x.argmax(1)
        logits = self.network(bases, torch.zeros_like(bases) if ids is None else ids.long())
        return logits[:, 1:] - logits[:, :1]


def made(folder: Path, preset: str, with_motifs: bool) -> Any:
    """A loaded model of random weights whose answers differ, and its network."""
    vocabulary = MotifVocabulary.default()
    shape = {} if with_motifs else PLAIN
    config = ClassifierConfig.preset(preset, n_classes=2, max_length=LENGTH, n_motifs=vocabulary.n_motifs, **shape)
    network = SequenceClassifier(config, seed=1)
    network.head.weight.assign(network.head.weight * 30).realize()
    checkpoint.save(network, folder / "model", readout=ClassReadout(labels=("no", "yes")), vocabulary=vocabulary)
    return gattn_tg.load(folder / "model")


def written(folder: Path, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A genome and a VCF of it; gives its bases, where variants are, and what they become."""
    bases = rng.integers(0, 4, 100_000).astype(np.uint8)
    places = np.sort(rng.choice(np.arange(LENGTH, bases.size - LENGTH), VARIANTS, replace=False))
    became = (bases[places] + rng.integers(1, 4, VARIANTS).astype(np.uint8)) % 4
    (folder / "genome.fa").write_text(f">chr1\n{decode(bases)}\n")
    lines = [f"chr1\t{at + 1}\t.\t{decode(bases[at : at + 1])}\t{decode(alt[None])}\t.\t.\t."
             for at, alt in zip(places, became, strict=True)]  # fmt: skip
    head = "##fileformat=VCFv4.3\n##contig=<ID=chr1,length=100000>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (folder / "variants.vcf").write_text(head + "\n".join(lines) + "\n")
    return bases, places, became


def one_hot(bases: np.ndarray) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.from_numpy(bases.astype(np.int64)), 4).transpose(1, 2).float()


def measured(preset: str, with_motifs: bool, n_threads: int, rounds: int, folder: Path) -> list[dict[str, Any]]:
    torch.set_num_threads(n_threads)
    threads.set_threads(n_threads)
    rng = np.random.default_rng(0)
    model = made(folder, preset, with_motifs)
    weights = {name: x.numpy() for name, x in get_state_dict(model.model).items()}
    peer = Asked(TorchClassifier(model.config, weights, folded=True)).eval()
    peers = {"tangermeme": peer, "compiled": torch.compile(peer, dynamic=True)}
    sequences = rng.integers(0, 4, (SEQUENCES, LENGTH)).astype(np.uint8)
    records = [Record(f"s{i}", "", decode(row)) for i, row in enumerate(sequences)]
    genome, places, became = written(folder, rng)
    windows = np.stack([genome[at - LENGTH // 2 : at - LENGTH // 2 + LENGTH] for at in places])
    changes = np.c_[np.arange(VARIANTS), np.full(VARIANTS, LENGTH // 2), became].astype(np.int64)

    def ids_of(rows: np.ndarray) -> dict[str, Any]:
        return {"args": (torch.zeros(rows.shape, dtype=torch.int64),)} if with_motifs else {}

    def mutants() -> np.ndarray:
        found = model.explain(records, method="mutagenesis", target="yes", batch_size=BATCH, attention=False)
        return np.stack([x.hypothetical.T for x in found.attributions])

    def effects() -> np.ndarray:
        found = model.variants(folder / "genome.fa", folder / "variants.vcf", batch_size=BATCH)
        at = found.header.index("d_yes")
        return np.array([row[at] for row in found.rows()])

    def their_mutants(network: torch.nn.Module) -> Callable[[], np.ndarray]:
        x = one_hot(sequences)

        def run() -> np.ndarray:
            given = ids_of(sequences)
            found: np.ndarray = saturation_mutagenesis(
                network, x, batch_size=BATCH, device="cpu", hypothetical=True, **given).numpy()
            return found

        return run

    def their_effects(network: torch.nn.Module) -> Callable[[], np.ndarray]:
        x, given = one_hot(windows), torch.from_numpy(changes)

        def run() -> np.ndarray:
            found = substitution_effect(network, x, given, batch_size=BATCH, device="cpu", **ids_of(windows))
            before, after = found[0], found[1]
            return (after - before).numpy()[:, 0]

        return run

    lines = []
    for what, ours, theirs, many in (("mutagenesis", mutants, their_mutants, SEQUENCES),
                                     ("variants", effects, their_effects, VARIANTS)):  # fmt: skip
        runners = {"ours": ours, **{name: theirs(network) for name, network in peers.items()}}
        error = None
        if not with_motifs:
            error = max(float(np.abs(ours() - run()).max()) for name, run in runners.items() if name != "ours")
            if not error <= ALLOWED:
                raise SystemExit(f"{what}: effects differ by {error:.1e}, {ALLOWED:.0e} is allowed")
        taken = alternate(runners, rounds, 60.0, warm=1, rest=REST_SECONDS)
        times = {side: summary(x) for side, x in taken.items()}
        best = min(times[side]["median_ms"] for side in peers)
        lines.append({
            "what": what, "preset": preset, "motifs": with_motifs, "bp": LENGTH, "n": many, "threads": n_threads,
            "difference": error, "times": times, "ratio": round(best / times["ours"]["median_ms"], 3),
            "per_second": round(many / times["ours"]["median_ms"] * 1e3, 2), "torch": torch.__version__,
        })  # fmt: skip
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--presets", nargs="+", default=["tiny"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="write no line")
    a = parser.parse_args()
    for preset, with_motifs, n_threads in itertools.product(a.presets, (False, True), a.threads):
        with tempfile.TemporaryDirectory() as folder:
            for line in measured(preset, with_motifs, n_threads, a.rounds, Path(folder)):
                shown = ("what", "preset", "motifs", "threads", "difference", "ratio", "per_second")
                print({key: line[key] for key in shown}, flush=True)
                if not a.dry:
                    write("answers", line)


if __name__ == "__main__":
    main()
