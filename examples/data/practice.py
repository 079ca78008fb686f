"""Make the practice tracks and labels: numbers computed from the bundled stretch of chromosome 16.

    python examples/data/practice.py

They exist so that every example configuration can be trained from a clone. Nothing in them was measured in a
laboratory: the answer is known, so one can see whether a model has found it.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np

from gattn_tg.data.genomes.bundled import ALPHA_GLOBIN, ALPHA_GLOBIN_EXONS, JASPAR, bundled
from gattn_tg.io import read_fasta, read_matrices
from gattn_tg.io.gtf import read_gtf
from gattn_tg.motif.frequencies import drawn, of_counts
from gattn_tg.motif.islands import cpg_islands
from gattn_tg.seq import Interval, decode, encode, reverse_complement

HERE = Path(__file__).resolve().parent
WINDOW_BP, CROP_BP, BIN_BP = 8_192, 1_024, 32
SEQUENCE_BP = 200
READS, READ_BP, READS_SEED = 400, 100, 20261128  # of each class
BOUND, BOUND_BP, BOUND_SEED, FACTOR = 500, 101, 20261129, "CTCF"  # of each class
METHYLATED, UNMETHYLATED, TUMOUR_CELLS, UNMEASURED = 0.85, 0.1, 0.75, 0.1
COVERAGE, SHORE_BP = 8.0, 500.0  # mean reads of a CpG; bases from an island over which methylation comes back
PARTS = ("train", "train", "train", "valid", "test")  # windows are dealt out in this order, again and again


def files() -> dict[str, bytes]:
    """Name and content of every practice file."""
    (record,) = read_fasta(bundled(ALPHA_GLOBIN))
    place, ids = Interval.parse(record.name), encode(record.sequence)
    is_cpg = np.zeros(len(ids), dtype=bool)
    is_cpg[:-1] = (ids[:-1] == 1) & (ids[1:] == 2)
    in_island = np.zeros(len(ids), dtype=bool)
    for island in cpg_islands(ids):
        in_island[island.start : island.end] = True

    rows = [f"{place.chrom}\t{place.start + i}\t{place.start + i + 2}\t{int(in_island[i])}\n"
            for i in np.flatnonzero(is_cpg).tolist()]  # fmt: skip
    sites = "chrom\tstart\tend\tin_island\n" + "".join(rows)

    starts = range(0, len(ids) - WINDOW_BP + 1, WINDOW_BP)
    windows = [f"{place.chrom}\t{place.start + start}\t{place.start + start + WINDOW_BP}\t{PARTS[i % len(PARTS)]}\n"
               for i, start in enumerate(starts)]  # fmt: skip
    n_bins = (WINDOW_BP - 2 * CROP_BP) // BIN_BP
    inner = [slice(start + CROP_BP, start + WINDOW_BP - CROP_BP) for start in starts]
    targets = np.stack(
        [np.stack([x[part].reshape(n_bins, BIN_BP).sum(1) for x in (is_cpg, in_island)], axis=1) for part in inner]
    ).astype(np.uint8)  # at most 32
    arrays = io.BytesIO()
    np.savez_compressed(arrays, targets=targets)
    tracks = "identifier\tdescription\ncpg\tCOUNT:CpG sites of the bin\nisland\tCOUNT:bases of the bin in CpG islands\n"
    return {
        "practice_binding.csv.gz": gzip.compress(binding(place, ids).encode(), mtime=0),
        "practice_methylation.tsv.gz": gzip.compress(methylation(place, np.flatnonzero(is_cpg), in_island).encode(),
                                                     mtime=0),
        "practice_reads.csv.gz": gzip.compress(reads(place, ids, in_island).encode(), mtime=0),
        "practice_sequences.csv.gz": gzip.compress(sequences(place, ids, is_cpg, in_island).encode(), mtime=0),
        "practice_sites.tsv.gz": gzip.compress(sites.encode(), mtime=0),
        "practice_windows.bed": "".join(windows).encode(),
        "practice_targets.npz": arrays.getvalue(),
        "practice_tracks.tsv": tracks.encode(),
    }


def methylation(place: Interval, at: np.ndarray, in_island: np.ndarray) -> str:
    """CpG sites with the reads that cover them, and those of them that are methylated: few in islands, more and more
    of them the farther away from the next island a site lies."""
    rng = np.random.default_rng(READS_SEED)
    inside = np.flatnonzero(in_island)
    k = np.searchsorted(inside, at).clip(1, len(inside) - 1)
    away = np.minimum(np.abs(inside[k - 1] - at), np.abs(inside[k] - at)) * ~in_island[at]
    share = METHYLATED + (UNMETHYLATED - METHYLATED) * np.exp(-away / SHORE_BP)
    reads = rng.poisson(COVERAGE, len(at))
    said = rng.binomial(reads, share)
    lines = ["chrom\tstart\tend\tmethylated\treads"]
    lines += [f"{place.chrom}\t{place.start + i}\t{place.start + i + 2}\t{m}\t{n}"
              for i, m, n in zip(at.tolist(), said.tolist(), reads.tolist(), strict=True)]  # fmt: skip
    return "\n".join(lines) + "\n"


def sequences(place: Interval, ids: np.ndarray, is_cpg: np.ndarray, in_island: np.ndarray) -> str:
    """Stretches of 200 bases with labels (1, 0, or empty where it is neither) and values."""
    in_exon = np.zeros(len(ids), dtype=bool)
    for exon in read_gtf(bundled(ALPHA_GLOBIN_EXONS), {"exon"}):
        in_exon[max(exon.interval.start - place.start, 0) : max(exon.interval.end - place.start, 0)] = True
    lines = ["name,sequence,island,exon,cpg_sites,gc_share"]
    for start in range(0, len(ids) - SEQUENCE_BP + 1, SEQUENCE_BP):
        part = slice(start, start + SEQUENCE_BP)
        name = f"{place.chrom}:{place.start + start}-{place.start + start + SEQUENCE_BP}"
        shares = [float(mask[part].mean()) for mask in (in_island, in_exon)]
        labels = ["1" if share >= 0.25 else "" if share else "0" for share in shares]  # of a few bases nobody can tell
        gc = float(((ids[part] == 1) | (ids[part] == 2)).mean())
        lines.append(f"{name},{decode(ids[part])},{','.join(labels)},{is_cpg[part].sum()},{gc:g}")
    return "\n".join(lines) + "\n"


def binding(place: Interval, ids: np.ndarray) -> str:
    """Stretches of 101 bases; in half of them one site of CTCF, drawn from JASPAR's matrix, on either strand."""
    rng = np.random.default_rng(BOUND_SEED)
    shares = next(of_counts(x.counts) for x in read_matrices(bundled(JASPAR)) if x.name == FACTOR)
    lines = ["name,sequence,label"]
    for n, start in enumerate(rng.choice(len(ids) - BOUND_BP, 2 * BOUND, replace=False).tolist()):
        part = ids[start : start + BOUND_BP].copy()
        if n % 2:
            site = drawn(shares, rng)
            at = int(rng.integers(0, BOUND_BP - len(site) + 1))
            part[at : at + len(site)] = site if rng.random() < 0.5 else reverse_complement(site)
        name = f"{place.chrom}:{place.start + start}-{place.start + start + BOUND_BP}"
        lines.append(f"{name},{decode(part)},{'bound' if n % 2 else 'free'}")
    return "\n".join(lines) + "\n"


def reads(place: Interval, ids: np.ndarray, in_island: np.ndarray) -> str:
    """Reads of CpG islands as bisulfite sequencing gives them: methylation 1 or 0 at the C of a CpG, "." elsewhere.

    Normal reads are hardly methylated. Three in four of the tumour are, and one is as normal reads are, as a tumour
    holds normal cells too; so no model can tell all of them. One CpG in ten was not measured.
    """
    rng = np.random.default_rng(READS_SEED)
    inside = np.convolve(in_island, np.ones(READ_BP, int), "valid")  # bases in islands of the read that begins here
    lines = ["name,sequence,methylation,label"]
    for n, start in enumerate(rng.choice(np.flatnonzero(inside == READ_BP), 2 * READS).tolist()):
        part = ids[start : start + READ_BP]
        is_tumour = n % 2 == 1
        share = METHYLATED if is_tumour and rng.random() < TUMOUR_CELLS else UNMETHYLATED
        at = np.flatnonzero((part[:-1] == 1) & (part[1:] == 2))
        states = np.full(READ_BP, ".")
        states[at] = np.where(rng.random(at.size) < share, "1", "0")
        states[at[rng.random(at.size) < UNMEASURED]] = "."
        name = f"read_{n + 1}_{place.chrom}:{place.start + start}-{place.start + start + READ_BP}"
        lines.append(f"{name},{decode(part)},{''.join(states)},{'tumour' if is_tumour else 'normal'}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name, content in files().items():
        (HERE / name).write_bytes(content)
