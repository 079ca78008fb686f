"""A genome from end to end: annotation, encoding, dataset throughput, reference alleles; time and memory.

    python bench/biology/genome_scale.py [--data ../shared/data] [--processes 2]

Checks first that the work is right (contig sizes, windows equal to the FASTA file, all reference alleles), then
prints a table and appends one JSON line per measurement to bench/results/genome_scale.jsonl. Memory is the largest
sum, over the command and its processes, of what is resident and not shared between them (Linux only).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from bench import record
from gattn_tg.data import EncodedGenome, Prefetched
from gattn_tg.data.genomes.corpus import Corpus, read_contigs
from gattn_tg.io import Genome, Vcf, read_fasta, read_matrices, select
from gattn_tg.motif import MotifVocabulary, vocabulary_of
from gattn_tg.seq import encode
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.windows import Windows

FACTORS = ["CTCF", "SP1", "TBP", "REST", "YY1", "NRF1", "CREB1", "GATA4", "KLF4", "SOX2"]
SECONDS = 3.0  # per throughput measurement
STEP_S = 0.02  # what a training step is taken to need, for the time that a device would wait


def family_bytes(pid: int) -> int:
    """Proportional set size of a process and all below it."""
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(family_bytes(int(child)) for child in children.read_text().split())
    except OSError:  # it has ended meanwhile
        pass
    return total


def measured(arguments: list[str]) -> tuple[dict[str, object], float, int]:
    """Run `gattn`; return its JSON object, its seconds and its largest memory in bytes."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "gattn_tg.cli.main", *arguments, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    peak = [0]

    def watch() -> None:
        while process.poll() is None:
            peak[0] = max(peak[0], family_bytes(process.pid))
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, _ = process.communicate()
    seconds = time.perf_counter() - began
    watcher.join()
    if process.returncode:
        raise SystemExit(f"gattn {' '.join(arguments)} failed")
    return json.loads(out), seconds, peak[0]


def write(line: dict[str, object]) -> None:
    print("  ".join(f"{key} {value}" for key, value in line.items()))
    record.write("genome_scale", line)


def annotation(data: Path, folder: Path, processes: int) -> None:
    """sacCer3 with the default vocabulary and ten JASPAR motifs, both strands, to BED and BigWig."""
    matrices = read_matrices(data / "motifs" / "JASPAR2024_CORE_vertebrates_nr.jaspar")
    vocabulary = vocabulary_of(select(matrices, FACTORS, "JASPAR"), base=MotifVocabulary.default())
    (folder / "v.toml").write_text(vocabulary.to_toml())
    told, seconds, peak = measured(
        ["annotate", str(data / "genomes" / "sacCer3.fa.gz"), "--vocab", str(folder / "v.toml"),
         "-o", str(folder / "m.bed.gz"), "--bigwig", str(folder / "d.bw"), "--processes", str(processes)]
    )  # fmt: skip
    write({"case": "annotate sacCer3", "classes": vocabulary.n_motifs - 1, "bases": told["bases"], "sites": told["n"],
           "processes": processes, "seconds": round(seconds, 2), "peak_mb": round(peak / 1e6)})  # fmt: skip


def encoding(data: Path, folder: Path, name: str, processes: int) -> EncodedGenome:
    """A genome encoded and annotated, compared with its FASTA file."""
    path = data / "genomes" / f"{name}.fa.gz"
    told, seconds, peak = measured(
        ["preprocess", str(path), "-o", str(folder / name), "--processes", str(processes)]
    )
    genome = EncodedGenome(folder / name)
    at = 0
    for sequence in read_fasta(path):
        if not (genome.bases[at : at + len(sequence.sequence)] == encode(sequence.sequence)).all():
            raise SystemExit(f"{name}: {sequence.name} is not what the FASTA file holds")
        at += len(sequence.sequence)
    write({"case": f"preprocess {name}", "bases": told["bases"], "processes": processes, "seconds": round(seconds, 2),
           "peak_mb": round(peak / 1e6)})  # fmt: skip
    return genome


def throughput(genome: EncodedGenome, width: int, batch: int) -> None:
    """Bases of random windows per second, as language models draw them, every other one turned."""
    corpus = Corpus(read_contigs([genome.folder]), block_bp=max(65_536, width))
    windows = Windows(corpus, width, TrainSettings(batch_size=batch, reverse_complement=True, seed=1))
    for step in range(3):
        windows.draw(step, 0, 0, 1)
    n_steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        windows.draw(3 + n_steps, 0, 0, 1)
        n_steps += 1
    rate = n_steps * batch * width / (time.perf_counter() - began)
    source = Prefetched(windows.draw(step, 0, 0, 1) for step in range(50))
    for _ in source:
        time.sleep(STEP_S)
    write({"case": f"windows of {width} bp", "batch": batch, "mb_per_s": round(rate / 1e6, 1),
           "waited_share": round(source.waited_s / (49 * STEP_S), 4)})  # fmt: skip


def reference_alleles(data: Path) -> None:
    """REF of every line of the 1000 Genomes file against the genome."""
    with Genome(data / "regions" / "hg19_chr20_1000000_2000000.fa.gz") as genome:
        reader = Vcf(data / "variants" / "hg19_chr20_1000G.vcf.gz", genome=genome, symbolic="skip",
                     rename={"z": "chr20:1000000-2000000"})  # fmt: skip
        began = time.perf_counter()
        n_variants = sum(1 for _ in reader)
        seconds = time.perf_counter() - began
    write({"case": "vcf reference alleles", "checked": reader.n_checked, "variants": n_variants,
           "skipped": reader.skipped.total(), "seconds": round(seconds, 2),
           "variants_per_s": round(reader.n_checked / seconds)})  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        raise SystemExit(f"{arguments.data} is absent; give the folder of real data with --data")
    np.seterr(all="raise")
    reference_alleles(arguments.data)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        annotation(arguments.data, folder, arguments.processes)
        encoding(arguments.data, folder, "ecoli536_NC_008253", arguments.processes)
        genome = encoding(arguments.data, folder, "sacCer3", arguments.processes)
        for width, batch in ((512, 256), (4096, 64), (131_072, 4)):
            throughput(genome, width, batch)


if __name__ == "__main__":
    main()
