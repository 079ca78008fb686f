"""Variants from a table with a header: chrom, pos, ref, alt, and id where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gattn_tg.errors import FormatError
from gattn_tg.io.fields import rows, short, whole
from gattn_tg.io.genome import Genome
from gattn_tg.io.ref_check import Mismatch, RefCheck
from gattn_tg.io.source import Rereading
from gattn_tg.io.vcf import VcfVariant
from gattn_tg.seq.variant import Variant, is_sequence, shown

COLUMNS = ("chrom", "pos", "ref", "alt")
NONE = "-"  # an allele without bases


class VariantTable:
    """The variants of a TSV file, in any order; iterating reads it again from the start, a pipe only once.

    The first line names the columns, in any order and case: chrom, pos (counted from 1, as in VCF), ref, alt, and id
    where there is one; others are not looked at. An allele without bases is `-`.

    Args:
        path: plain, gzip or bgzip.
        genome: checks `ref` of every line; None checks nothing.
        rename: name in the file -> name in the genome; see `ContigNames` for "auto".
        mismatched: is told of every line whose `ref` the genome does not have, which is then left out; None raises.

    Raises:
        ConfigError: rename="auto" without a genome.
        FormatError: while iterating: a column is missing, bad positions or alleles.
        CoordinateError: while iterating: an unknown contig, or the genome has other letters than `ref`.
    """

    def __init__(
        self, path: str | Path, *, genome: Genome | None = None, rename: Mapping[str, str] | str | None = None,
        mismatched: Callable[[Mismatch], None] | None = None,
    ) -> None:
        self.path = Path(path)
        self._check = RefCheck(genome, rename, mismatched, "table of variants")
        self._reading = Rereading(self.path)

    def __iter__(self) -> Iterator[VcfVariant]:
        self._reading.begin()
        resolve = self._check.resolver()
        places: list[int] = []
        n_columns = 0
        for line, fields in rows(self.path, skip=("##",)):
            where = f"{self.path}, line {line}"
            if not places:
                places, n_columns = _places(where, fields), len(fields)
                continue
            if len(fields) != n_columns:
                raise FormatError(
                    f"{where}: expected {n_columns} columns, as in the header, got {len(fields)}; "
                    "was the file written fully?"
                )
            chrom, text, ref, alt, *names = (fields[i].strip() for i in places)
            pos1 = whole(where, "pos counted from 1", text)
            if pos1 < 1:
                raise FormatError(f"{where}: expected pos counted from 1, got 0; is the table 0-based?")
            ref, alt = _allele(where, "ref", ref), _allele(where, "alt", alt)
            name = resolve(chrom, where)
            if ref == alt:
                raise FormatError(
                    f"{where}: variant {name}:{pos1}:{shown(ref)}>{shown(alt)}: expected two different alleles, but "
                    "both are the same; remove it"
                )
            label = names[0] if names and names[0] else "."
            if self._check.is_right(where, line, name, pos1, label, ref, alt):
                yield VcfVariant(Variant.of_checked(name, pos1 - 1, ref, alt), label, ".", ".", ".", 1, line)
        if not places:
            raise FormatError(f"{self.path}: expected a header with {', '.join(COLUMNS)}, got an empty file; add it")


def _places(where: str, fields: list[str]) -> list[int]:
    """Columns of chrom, pos, ref, alt, and of id where there is one."""
    names = [field.strip().lstrip("#").lower() for field in fields]
    for name in COLUMNS:
        if names.count(name) != 1:
            raise FormatError(
                f"{where}: expected a header with one column each of {', '.join(COLUMNS)}, got "
                f"{'none' if name not in names else 'several'} named {name!r} in {short(' '.join(fields))}; "
                "name the columns, separated by tabs"
            )
    return [names.index(name) for name in (*COLUMNS, *(["id"] if "id" in names else []))]


def _allele(where: str, name: str, text: str) -> str:
    letters = "" if text == NONE else text.upper()
    if not text or not is_sequence(letters):
        raise FormatError(
            f"{where}: expected {name} of nucleotide letters, or {NONE} for none, got {short(text)}; correct the line"
        )
    return letters
