"""CpG islands called on real human sequence against the UCSC tables: recall, precision, and why they differ.

    python bench/biology/cpg_islands.py [--data ../shared/data] [--json]

Three callers: the two published criteria of `gattn_tg.motif.cpg_islands`, and `ucsc_islands`, which is UCSC's own
method. UCSC masks repeats before it calls; the sequences here carry no mask, so one is made from the sequences
themselves: words of 12 bases that occur at least 100 times in the 11 Mb, as WindowMasker does it (Morgulis et al.
2006, Bioinformatics 22:134). `ucsc, masked` calls with that mask. Prints a table, the causes of all differences, the
agreement with EMBOSS newcpgreport where it is installed (Debian package emboss), and one JSON line per caller and
region.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.biology.newcpgreport import print_emboss
from bench.biology.running_sum import check, ucsc_islands
from gattn_tg.io import read_fasta
from gattn_tg.motif import CpgIsland, cpg_islands, kmer_codes
from gattn_tg.motif.cpg import CpgCounts
from gattn_tg.motif.spans import runs
from gattn_tg.seq import N, encode, reverse_complement

WORD, FREQUENT = 12, 100  # 11 Mb on two strands hold a random word 1.3 times
CLOSE_BP, SHORT_BP = 50, 100  # gaps inside a repeat, and what is too short to be one

Span = tuple[int, int]


class Region(NamedTuple):
    """A stretch of genome with the islands that UCSC has there, both in the region's own coordinates."""

    group: str
    ids: np.ndarray
    truth: list[Span]


def read_regions(data: Path) -> Iterator[Region]:
    """Yield the hg19 regions one by one and the hg38 windows as parts of one group."""
    files = [("hg19", path) for path in sorted((data / "regions").glob("hg19_*.fa.gz"))]
    files.append(("hg38", data / "tracks" / "hg38_borzoi_tiny_seqs.fa.gz"))
    for assembly, path in files:
        lines = (data / "regions" / f"cpg_islands_{assembly}.bed").read_text().splitlines()
        rows = [line.split("\t") for line in lines]
        for record in read_fasta(path):
            chrom, _, span = record.name.partition(":")
            start, end = map(int, span.split("-"))
            truth = [
                (max(int(first), start) - start, min(int(last), end) - start)
                for name, first, last, *_ in rows
                if name == chrom and int(first) < end and int(last) > start
            ]
            group = f"hg19 {chrom}" if assembly == "hg19" else "hg38 55 windows"
            yield Region(group, encode(record.sequence), truth)


def frequent_words(regions: list[Region]) -> np.ndarray:
    """Return which of the 4**12 words occur often in the regions, both strands counted."""
    counts = np.zeros(4**WORD, dtype=np.int64)
    for region in regions:
        for ids in (region.ids, reverse_complement(region.ids)):
            codes = kmer_codes(ids, WORD)
            counts += np.bincount(codes[codes >= 0], minlength=4**WORD)
    return counts >= FREQUENT


def repeats(ids: np.ndarray, frequent: np.ndarray) -> np.ndarray:
    """Return which bases lie in a repeat: frequent words, gaps between them closed, what is short dropped."""
    codes = kmer_codes(ids, WORD)
    starts = np.flatnonzero((codes >= 0) & frequent[np.maximum(codes, 0)])
    inside = np.zeros(len(ids), dtype=bool)
    for offset in range(WORD):
        inside[starts + offset] = True
    for value, limit in ((False, CLOSE_BP), (True, SHORT_BP)):
        for start, end in zip(*runs(inside == value), strict=True):
            if end - start < limit:
                inside[start:end] = not value
    return inside


def overlapping(spans: list[Span], others: list[Span]) -> list[bool]:
    """Return for each span whether any of the others shares a base with it."""
    return [any(start < last and first < end for first, last in others) for start, end in spans]


def cover(spans: list[Span], length: int) -> np.ndarray:
    inside = np.zeros(length, dtype=bool)
    for start, end in spans:
        inside[start:end] = True
    return inside


def why_missed(counts: CpgCounts, span: Span, min_length: int, min_gc: float, min_ratio: float) -> str:
    """Return which limit the whole UCSC island fails; a window fails it too."""
    start, end = (np.array([edge]) for edge in span)
    if span[1] - span[0] < min_length:
        return f"UCSC island shorter than {min_length} bp"
    if counts.gc(start, end)[0] < min_gc:
        return f"UCSC island with GC below {min_gc}"
    if counts.observed_expected(start, end)[0] < min_ratio:
        return f"UCSC island with observed/expected below {min_ratio}"
    return "island as a whole meets the criteria, its windows do so over less than the length"


def why_extra(span: Span, repeat: np.ndarray, segments: list[Span], masked: list[Span]) -> str:
    """Return why UCSC has no island where a caller has one."""
    if repeat[span[0] : span[1]].mean() >= 0.5:
        return "at least half of it is repeat, which UCSC masks"
    if not overlapping([span], segments)[0]:
        return "UCSC's running sum finds no island there on the bare sequence either"
    if not overlapping([span], masked)[0]:
        return "UCSC's running sum finds one only with the repeat beside it"
    return "UCSC's running sum finds one there: a rarer repeat, or another cause"


class Caller(NamedTuple):
    """A method, whether it is given the masked sequence, and the limits it puts on a whole island."""

    call: Callable[[np.ndarray], list[CpgIsland]]
    masked: bool
    limits: tuple[int, float, float]


CALLERS = {
    "gardiner-garden": Caller(partial(cpg_islands, criteria="gardiner-garden"), False, (200, 0.50, 0.60)),
    "takai-jones": Caller(partial(cpg_islands, criteria="takai-jones"), False, (500, 0.55, 0.65)),
    "ucsc": Caller(ucsc_islands, False, (201, 0.50, 0.60)),
    "ucsc, masked": Caller(ucsc_islands, True, (201, 0.50, 0.60)),
}


class Tally(NamedTuple):
    """Sums over one region or several."""

    bp: int = 0
    ucsc: int = 0
    found: int = 0
    called: int = 0
    right: int = 0
    same_ends: int = 0
    ucsc_bp: int = 0
    called_bp: int = 0
    both_bp: int = 0
    seconds: float = 0.0

    def plus(self, other: Tally) -> Tally:
        return Tally(*(mine + more for mine, more in zip(self, other, strict=True)))

    def figures(self) -> dict[str, float]:
        return {
            "recall": self.found / self.ucsc,
            "precision": self.right / self.called,
            "base_recall": self.both_bp / self.ucsc_bp,
            "base_precision": self.both_bp / self.called_bp,
        }


def compare(region: Region, repeat: np.ndarray, caller: Caller) -> tuple[Tally, Counter[str]]:
    """Call the islands of a region and count how they agree with UCSC's, and why where they do not."""
    masked_ids = np.where(repeat, N, region.ids).astype(np.uint8)
    began = time.perf_counter()
    called = [island[:2] for island in caller.call(masked_ids if caller.masked else region.ids)]
    seconds = time.perf_counter() - began
    found, right = overlapping(region.truth, called), overlapping(called, region.truth)
    counts = CpgCounts(region.ids)
    segments = [island[:2] for island in ucsc_islands(region.ids)]
    masked = [island[:2] for island in ucsc_islands(masked_ids)]
    lost = [span for span, hit in zip(region.truth, found, strict=True) if not hit]
    extra = [span for span, hit in zip(called, right, strict=True) if not hit]
    causes = Counter("missed: " + why_missed(counts, span, *caller.limits) for span in lost)
    causes.update("extra: " + why_extra(span, repeat, segments, masked) for span in extra)
    theirs, ours = cover(region.truth, len(region.ids)), cover(called, len(region.ids))
    tally = Tally(
        bp=len(region.ids),
        ucsc=len(found),
        found=sum(found),
        called=len(right),
        right=sum(right),
        same_ends=len(set(called) & set(region.truth)),
        ucsc_bp=int(theirs.sum()),
        called_bp=int(ours.sum()),
        both_bp=int((theirs & ours).sum()),
        seconds=seconds,
    )
    return tally, causes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--json", action="store_true", help="print only the JSON lines")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        raise SystemExit(f"{arguments.data} is absent; give the folder of real data with --data")

    check()
    regions = list(read_regions(arguments.data))
    frequent = frequent_words(regions)
    totals: dict[tuple[str, str], Tally] = {}
    causes: dict[str, Counter[str]] = {name: Counter() for name in CALLERS}
    for name, caller in CALLERS.items():
        for region in regions:
            tally, why = compare(region, repeats(region.ids, frequent), caller)
            causes[name].update(why)
            for group in (region.group, "all"):
                totals[name, group] = totals.get((name, group), Tally()).plus(tally)

    if not arguments.json:
        print(
            f"{'caller':16} {'region':16} UCSC found recall called right precision same_ends base_recall base_precision"
        )
        for (name, group), tally in sorted(totals.items()):
            recall, precision, base_recall, base_precision = tally.figures().values()
            print(f"{name:16} {group:16} {tally.ucsc:4} {tally.found:5} {recall:6.3f} {tally.called:6} {tally.right:5} "
                  f"{precision:9.3f} {tally.same_ends:9} {base_recall:11.3f} {base_precision:14.3f}")  # fmt: skip
        for name, counter in causes.items():
            print(f"\n{name}:")
            for cause, n in sorted(counter.items()):
                print(f"  {n:5} {cause}")
        print()
    print_emboss([(region.group, region.ids) for region in regions], as_json=arguments.json)
    for (name, group), tally in totals.items():
        figures = {key: round(value, 4) for key, value in tally.figures().items()}
        line = {"bench": "cpg_islands", "caller": name, "region": group} | tally._asdict() | figures
        print(json.dumps(line | {"seconds": round(tally.seconds, 3)}))


if __name__ == "__main__":
    main()
