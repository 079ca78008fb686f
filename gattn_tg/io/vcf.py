"""VCF: variants with their alleles, one line in memory at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.io.fields import short
from gattn_tg.io.genome import Genome
from gattn_tg.io.lines import lines
from gattn_tg.io.ref_check import Mismatch, RefCheck
from gattn_tg.io.source import Rereading
from gattn_tg.seq.interval import MAX_DIGITS
from gattn_tg.seq.variant import Variant, is_sequence, shown

COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
SYMBOLIC = ("refuse", "skip")


class VcfVariant(NamedTuple):
    """One alternative allele of a line; `allele` counts from 1 as GT does, `line` from 1."""

    variant: Variant
    id: str
    quality: str
    filter: str
    info: str
    allele: int
    line: int


class Vcf:
    """The variants of a VCF file, plain, gzip or bgzip; iterating reads it again from the start, a pipe only once.

    A line with several alternative alleles gives one variant for each. The text columns stay text. Plain Python on
    purpose: only the first eight columns are read, every message names the line, and it runs on every system.

    Args:
        path: the file.
        symbolic: what to do with alleles that are no sequence: symbolic ones (`<DEL>`), breakends (`N[chr2:5[`), `*`
            (deleted by another line) and `.` (no alternative): "refuse" them by name, or "skip" them and count them in
            `skipped`. A line that has no others may stand at position 0 or one past the end of its contig (telomeres),
            and may have N as REF, which then is not compared.
        rename: name in the file -> name in the genome, applied to every variant; see `ContigNames` for "auto".
        genome: checks the `ref` of every line, also of those with symbolic alleles, counts the right ones in
            `n_checked`, and knows the names; None checks nothing.
        sorted_only: refuse positions that go back or contigs that come again, as the format does.
        mismatched: is told of every line whose `ref` the genome does not have, which is then left out; None raises.

    Raises:
        ConfigError: another word for `symbolic`; rename="auto" without a genome.
        FormatError: while iterating: not VCF, cut lines, bad positions or alleles, an unsorted file.
        CoordinateError: while iterating: an unknown contig, or the genome has other letters than `ref`; the text names
            file, line and both alleles.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        symbolic: str = "refuse",
        rename: Mapping[str, str] | str | None = None,
        genome: Genome | None = None,
        sorted_only: bool = True,
        mismatched: Callable[[Mismatch], None] | None = None,
    ) -> None:
        if symbolic not in SYMBOLIC:
            raise ConfigError(
                f"vcf: expected symbolic {' or '.join(map(repr, SYMBOLIC))}, got {symbolic!r}; choose one"
            )
        self.path = Path(path)
        self.skip = symbolic == "skip"
        self.genome = genome
        self.sorted_only = sorted_only
        self.skipped: Counter[str] = Counter()
        self._check = RefCheck(genome, rename, mismatched)
        self._reading = Rereading(self.path)

    def __iter__(self) -> Iterator[VcfVariant]:
        self._reading.begin()
        self.skipped.clear()
        self._check.n_checked = 0
        width = 0
        number = 0
        contigs: dict[str, str] = {}  # every contig so far, by its name in the file
        last = ("", 0)
        resolve = self._check.resolver()
        for number, line in lines(self.path):
            if number == 1 and not line.startswith(b"##fileformat=VCF"):
                raise FormatError(
                    f"{self.path}, line 1: expected ##fileformat=VCF, got {_quote(line)}; is this a VCF file?"
                )
            if line.startswith(b"##") or not line:
                continue
            where = f"{self.path}, line {number}"
            if line.startswith(b"#"):
                width = _header_width(where, line)
                continue
            fields = _fields(where, line, width)
            chrom, alts = fields[0], fields[4].split(",")
            kinds = [_symbolic_kind(alt) for alt in alts]
            pos1 = _position(where, fields[1], least=0 if all(kinds) else 1)
            if chrom not in contigs:
                contigs[chrom] = resolve(chrom, where)
            elif self.sorted_only and (chrom != last[0] or pos1 < last[1]):
                raise FormatError(
                    f"{where}: expected lines sorted by contig and position, got {chrom}:{pos1} after "
                    f"{last[0]}:{last[1]}; sort the file with bcftools sort"
                )
            last = (chrom, pos1)
            if not self._is_right(where, number, contigs[chrom], pos1, fields, may_skip=all(kinds)):
                continue
            yield from self._variants(where, number, contigs[chrom], pos1, fields, list(zip(alts, kinds, strict=True)))
        if not width:
            raise FormatError(
                f"{self.path}, after line {number}: expected the line {' '.join(COLUMNS)}, got none; "
                "was the file written fully?"
            )

    @property
    def n_checked(self) -> int:
        """Lines whose `ref` the genome has."""
        return self._check.n_checked

    def _is_right(self, where: str, line: int, chrom: str, pos1: int, fields: list[str], *, may_skip: bool) -> bool:
        ref = fields[3].upper()
        if not ref or not is_sequence(ref):
            raise FormatError(
                f"{where}: expected REF of nucleotide letters, got {short(fields[3])}; correct the line"
            )
        size = self.genome.sizes.get(chrom, 0) if self.genome else 0
        if may_skip and (ref == "N" or pos1 in (0, size + 1)) and pos1 <= size + 1:
            return True
        return self._check.is_right(where, line, chrom, pos1, fields[2], ref, fields[4])

    def _variants(
        self, where: str, number: int, chrom: str, pos1: int, fields: list[str], alts: list[tuple[str, str]]
    ) -> Iterator[VcfVariant]:
        ref = fields[3].upper()
        for allele, (text, kind) in enumerate(alts, start=1):
            if kind:
                if not self.skip:
                    raise FormatError(
                        f"{where}: expected alternative alleles with a sequence, got the {kind} "
                        f"{short(text)}; skip symbolic alleles, or remove the line"
                    )
                self.skipped[kind] += 1
                continue
            alt = text.upper()
            if not alt or not is_sequence(alt):
                raise FormatError(
                    f"{where}: expected ALT of nucleotide letters, got {short(text)}; correct the line"
                )
            if alt == ref:
                raise FormatError(
                    f"{where}: variant {chrom}:{pos1}:{shown(ref)}>{shown(alt)}: expected two different alleles, "
                    "but both are the same; remove it"
                )
            # REF was looked at once: it may have millions of bases and thousands of alternatives.
            variant = Variant.of_checked(chrom, pos1 - 1, ref, alt)
            yield VcfVariant(variant, fields[2], fields[5], fields[6], fields[7], allele, number)


def _symbolic_kind(alt: str) -> str:
    if alt.startswith("<") and alt.endswith(">"):
        return "symbolic allele"
    if "[" in alt or "]" in alt:
        return "breakend"
    if len(alt) > 1 and (alt.startswith(".") or alt.endswith(".")):
        return "single breakend"
    return {"*": "spanning deletion", ".": "missing allele"}.get(alt, "")


def _header_width(where: str, line: bytes) -> int:
    names = line.decode("utf-8", errors="replace").split("\t")
    if tuple(names[: len(COLUMNS)]) != COLUMNS:
        raise FormatError(
            f"{where}: expected the columns {' '.join(COLUMNS)}, separated by tabs, got {_quote(line)}; "
            "is this a VCF file?"
        )
    return len(names)


def _fields(where: str, line: bytes, width: int) -> list[str]:
    if not width:
        raise FormatError(
            f"{where}: expected the line {' '.join(COLUMNS)} before the variants, got {_quote(line)}; add it"
        )
    n_tabs = line.count(b"\t")
    if n_tabs != width - 1:
        raise FormatError(
            f"{where}: expected {width} columns, as in the header, got {n_tabs + 1}; "
            "was the file written fully?"
        )
    # Genotypes may fill megabytes per line; they are not looked at.
    try:
        return [field.decode("utf-8") for field in line.split(b"\t", len(COLUMNS))[: len(COLUMNS)]]
    except UnicodeDecodeError as error:
        raise FormatError(f"{where}: expected UTF-8 text, got other bytes; save the file as UTF-8") from error


def _position(where: str, text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS and int(text) >= least):
        raise FormatError(
            f"{where}: expected POS, a whole number of at least 1, got {short(text)}; VCF counts from 1"
        )
    return int(text)


def _quote(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 20 else text[:20] + "...")
