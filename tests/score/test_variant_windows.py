"""Windows of both alleles are those that one cuts out of the whole contig and the whole changed contig."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gattn_tg.io import Genome
from gattn_tg.score.variants.alleles import alleles
from gattn_tg.seq import Variant, decode


@pytest.mark.parametrize(("is_padded", "is_inside"), [(False, True), (True, True), (True, False)])
def test_windows_are_those_of_whole_contigs(tmp_path: Path, is_padded: bool, is_inside: bool) -> None:
    """Random alleles of 0 to 8 bases everywhere, at the ends too, in windows shorter and longer than the contig."""
    draw = random.Random(3)
    contigs = {name: "".join(draw.choice("ACGT") for _ in range(n)) for name, n in (("long", 90), ("short", 20))}
    (tmp_path / "g.fa").write_text("".join(f">{name}\n{letters}\n" for name, letters in contigs.items()))
    genome, n = Genome(tmp_path / "g.fa"), 0
    while n < 300:
        chrom = draw.choice(list(contigs))
        contig = contigs[chrom]
        at = draw.randrange(len(contig))
        ref, alt = contig[at : at + draw.randrange(9)], "".join(draw.choice("ACGT") for _ in range(draw.randrange(9)))
        if ref == alt or len(contig) == len(ref):
            continue
        n += 1
        changed = contig[:at] + alt + contig[at + len(ref) :]
        pairs = enumerate(zip(ref, alt, strict=False))
        first = at + next((i for i, (a, b) in pairs if a != b), min(len(ref), len(alt)))
        for width in (8, 15, 40):
            found = alleles(genome, Variant(chrom, at, ref, alt), width, is_padded=is_padded, is_inside=is_inside)
            both, start = [contig, changed], first - width // 2
            if not is_inside:
                both, start = ["N" * width + letters + "N" * width for letters in both], start + width
            else:
                start = min(max(start, 0), max(len(contig) - width, 0))
                both = [letters + "N" * (width if is_padded else 0) for letters in both]
            assert [decode(found.ref), decode(found.alt)] == [letters[start : start + width] for letters in both]
            assert (found.ref[: found.at] == found.alt[: found.at]).all()
