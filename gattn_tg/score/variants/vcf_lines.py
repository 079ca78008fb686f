"""Effects as VCF: one allele per line, the numbers in INFO."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from gattn_tg.errors import FormatError
from gattn_tg.escaping import field
from gattn_tg.io import Genome
from gattn_tg.score.variants.effects import Effect
from gattn_tg.score.variants.options import Column
from gattn_tg.seq import Interval, Variant
from gattn_tg.version import __version__

PREFIX = "gattn_"
LOST, GAINED = f"{PREFIX}motifs_lost", f"{PREFIX}motifs_gained"
_RESERVED = re.compile(r"[^0-9A-Za-z_.()+/|&\-]")
"""What a value of INFO does not hold as it is; `VCF 4.3, section 1.2` writes it as % and two digits."""


class VcfLines:
    """Lines without genotypes, one for each alternative allele, of the fields that `bcftools annotate -c INFO` moves.

    Args:
        columns: the numbers of an effect.
        genome: its contigs are listed in the header; gives the base in front of an allele without bases.
    """

    def __init__(self, columns: Sequence[Column], genome: Genome) -> None:
        self.columns, self.genome = columns, genome
        self.names = info_names([column.name for column in columns])

    def header(self) -> str:
        """All lines that begin with #."""
        lines = ["##fileformat=VCFv4.3", f"##source=gattn_tg {__version__}"]
        lines += [f"##contig=<ID={field(name)},length={size}>" for name, size in self.genome.sizes.items()]
        for name, column in zip(self.names, self.columns, strict=True):
            lines.append(f'##INFO=<ID={name},Number=1,Type=Float,Description="{_quoted(column.about)}">')
        for name, what in ((LOST, "reference"), (GAINED, "alternative")):
            about = f"motifs at the variant that only the {what} allele has"
            lines.append(f'##INFO=<ID={name},Number=.,Type=String,Description="{about}">')
        lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
        return "\n".join(lines) + "\n"

    def line(self, effect: Effect) -> str:
        """One line."""
        variant = self._anchored(effect.asked.variant)
        values = (*effect.scores, *effect.quantiles)
        info = [f"{name}={value:.6g}" for name, value in zip(self.names, values, strict=True) if value == value]
        for name, motifs in ((LOST, effect.changes.lost), (GAINED, effect.changes.gained)):
            info += [f"{name}={','.join(map(_coded, motifs))}"] if motifs else []
        fields = [field(variant.chrom), str(variant.start + 1), field(effect.asked.id), variant.ref, variant.alt]
        fields += [".", ".", ";".join(info) or "."]
        return "\t".join(fields) + "\n"

    def check_order(self, variants: Iterable[Variant]) -> None:
        """Refuse variants that are not sorted by contig and position, which VCF and its index want.

        Raises:
            FormatError: one that goes back, or a contig that comes again.
        """
        seen: set[str] = set()
        chrom, before = "", 0
        for one in variants:
            start = one.start - (not (one.ref and one.alt))
            if (one.chrom != chrom and one.chrom in seen) or (one.chrom == chrom and start < before):
                raise FormatError(f"variant {one.shown}: expected for VCF variants sorted by contig and position, got "
                                  f"it behind {chrom}:{before + 1}; sort them, or name a .tsv file")
            chrom, before = one.chrom, start
            seen.add(chrom)

    def _anchored(self, variant: Variant) -> Variant:
        """With a base in both alleles: the one in front, or at the start of a contig the one behind."""
        if variant.ref and variant.alt:
            return variant
        behind = variant.start == 0
        at = variant.end if behind else variant.start - 1
        base = self.genome.fetch(Interval(variant.chrom, at, at + 1), pad=True).decode("ascii").upper()
        ref, alt = (allele + base if behind else base + allele for allele in (variant.ref, variant.alt))
        return Variant.of_checked(variant.chrom, variant.start if behind else at, ref, alt)


def info_names(names: Sequence[str]) -> list[str]:
    """Names for INFO, of letters that VCF allows, all different."""
    clean = [PREFIX + re.sub(r"[^0-9A-Za-z_.]+", "_", name) for name in names]
    count = Counter(clean)
    return [name if count[name] == 1 else f"{name}_{k}" for k, name in enumerate(clean)]


def _quoted(text: str) -> str:
    return field(text).replace("\\", "\\\\").replace('"', '\\"')


def _coded(text: str) -> str:
    return _RESERVED.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8")), text)
