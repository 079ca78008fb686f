"""Make the bundled data of natural sequences from two Debian packages, byte for byte as committed.

    apt-get download r-cran-mlbench augustus-doc
    for package in *.deb; do dpkg-deb -x "$package" unpacked; done
    python examples/data/make.py unpacked

Needs only the Python standard library. What the files are, where they come from and under which terms: README.md.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RDA = "usr/lib/R/site-library/mlbench/data/DNA.rda"
GENOME = "usr/share/doc/augustus/tutorial-cgp/data/genomes/hg38.fa"
REFSEQ = "usr/share/doc/augustus/tutorial-cgp/data/refseq/refseq.hg38.gtf"
GENES = {
    "NM_018032": "LUC7L", "NM_201412": "LUC7L", "NM_001284497": "FAM234A", "NM_032039": "FAM234A",
    "NR_104317": "FAM234A", "NM_001286485": "RGS11", "NM_001286486": "RGS11", "NM_003834": "RGS11",
    "NM_183337": "RGS11", "NM_001176": "ARHGDIG", "NM_006849": "PDIA2", "NM_003502": "AXIN1", "NM_181050": "AXIN1",
    "NM_006428": "MRPL28", "NM_021259": "PGAP6",
}  # fmt: skip
"""Symbols of the genes, which the file of the tutorial does not have; transcripts without one keep their number."""
BASES = {"100": "A", "010": "C", "001": "G", "000": "T"}
WIDTH_BP = 60

# SEXP type numbers of R's serialisation, version 2 and 3, XDR encoding ("R Internals", section 1.8).
SYMBOL, PAIRLIST, STRING, INTEGERS, STRINGS, LIST = 1, 2, 9, 13, 16, 19
NIL, REFERENCE = 254, 255
HAS_ATTRIBUTES, HAS_TAG = 0x200, 0x400


class RdaReader:
    """Reads the few R types that a data frame of factors is made of."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0
        self.symbols: list[str] = []

    def integer(self) -> int:
        self.at += 4
        return int(struct.unpack_from(">i", self.raw, self.at - 4)[0])

    def text(self) -> str:
        length = self.integer()
        self.at += max(length, 0)
        return self.raw[self.at - length : self.at].decode() if length >= 0 else "NA"

    def item(self) -> Any:
        """Return symbols and strings as str, vectors as list, pair lists as dict, data as (value, attributes)."""
        flags = self.integer()
        kind = flags & 0xFF
        if kind == NIL:
            return {}
        if kind == REFERENCE:
            return self.symbols[(flags >> 8) - 1]
        if kind == SYMBOL:
            self.symbols.append(self.item())
            return self.symbols[-1]
        if kind == STRING:
            return self.text()
        if kind == PAIRLIST:
            attributes = self.item() if flags & HAS_ATTRIBUTES else {}
            assert not attributes
            tag = self.item() if flags & HAS_TAG else ""
            return {tag: self.item(), **self.item()}
        if kind == INTEGERS:
            count = self.integer()
            values: list[Any] = list(struct.unpack_from(f">{count}i", self.raw, self.at))
            self.at += 4 * count
        elif kind in (STRINGS, LIST):
            values = [self.item() for _ in range(self.integer())]
        else:
            raise SystemExit(f"DNA.rda: R type {kind} at byte {self.at} is not one that a data frame of factors has")
        return values, self.item() if flags & HAS_ATTRIBUTES else {}


def factor(column: Any) -> list[str]:
    codes, attributes = column
    levels = attributes["levels"][0]
    return [levels[code - 1] for code in codes]


def splice_junctions(rda: Path) -> list[tuple[str, str]]:
    """Return (sequence, label) of the 3,186 windows, in the order of the file."""
    raw = lzma.decompress(rda.read_bytes())
    magic = next(m for m in (b"RDX2\nX\n", b"RDX3\nX\n") if raw.startswith(m))
    reader = RdaReader(raw)
    reader.at = len(magic)
    version = reader.integer()
    reader.at += 8  # the version of R that wrote the file, and the oldest that reads it
    if version == 3:
        reader.text()  # native encoding
    columns, attributes = reader.item()["DNA"]
    table = dict(zip(attributes["names"][0], map(factor, columns), strict=True))
    labels = table.pop("Class")
    bits = zip(*(table[f"V{i + 1}"] for i in range(3 * WIDTH_BP)), strict=True)
    rows = []
    for row, label in zip(bits, labels, strict=True):
        sequence = "".join(BASES["".join(row[i : i + 3])] for i in range(0, 3 * WIDTH_BP, 3))
        rows.append((sequence, label))
    return rows


def exons(gtf: Path, offset: int) -> list[str]:
    """Return the exons as lines of GTF, sorted, at coordinates of the chromosome.

    Args:
        gtf: RefSeq of the tutorial, whose positions count from 1 at the first base of its sequence.
        offset: bases of the chromosome before that base.
    """
    rows: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for line in gtf.read_text().splitlines():
        chrom, _, kind, first, last, _, strand, _, attributes = line.split("\t")
        assert chrom == "chr16"
        if kind == "exon":
            rows[attributes.split('"')[3]].append((int(first) + offset, int(last) + offset, strand))
    found = []
    for transcript, parts in rows.items():
        gene = GENES.get(transcript, transcript)
        names = f'gene_id "{gene}"; transcript_id "{transcript}"; gene_name "{gene}";'
        found += [(first, last, f"chr16\trefGene\texon\t{first}\t{last}\t.\t{strand}\t.\t{names}")
                  for first, last, strand in parts]
    return [line for *_, line in sorted(found)]


def write(name: str, text: str) -> None:
    """Write compressed text with no time stamp and no file name inside: the same bytes on every run."""
    path = HERE / name
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{name}: {path.stat().st_size} bytes")


def main(root: Path) -> None:
    rows = splice_junctions(root / RDA)
    print(len(rows), "windows", dict(Counter(label for _, label in rows)))
    write("splice_junctions.csv.gz", "sequence,label\n" + "".join(f"{s},{label}\n" for s, label in rows))

    header, *lines = (root / GENOME).read_text().split("\n")
    chrom, first, last, strand = header[1:].split()  # 1-based, both ends included
    sequence = "".join(lines).upper()
    assert (chrom, strand) == ("chr16", "+")
    assert len(sequence) == int(last) - int(first) + 1
    wrapped = "\n".join(sequence[i : i + 60] for i in range(0, len(sequence), 60))
    print(len(sequence), "bases of", chrom)
    write("alpha_globin_hg38.fa.gz", f">{chrom}:{int(first) - 1}-{last} hg38 0-based-half-open\n{wrapped}\n")
    lines = exons(root / REFSEQ, int(first) - 1)
    print(len(lines), "exons")
    write("alpha_globin_exons.gtf.gz", "".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
