"""Variants as users name them: a VCF file, a table, or `chr22:36201698:A>C`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path

from gattn_tg.errors import ConfigError, CoordinateError, FormatError
from gattn_tg.io import Genome, VariantTable, Vcf, VcfVariant, replacing
from gattn_tg.io.lines import lines
from gattn_tg.io.ref_check import Mismatch, RefCheck
from gattn_tg.io.source import require_regular
from gattn_tg.io.tables import tsv_line
from gattn_tg.seq.variant import Variant

Variants = str | Path | Variant | Iterable[str | Variant]
TEXT = re.compile(r"[^>]+:[0-9][0-9,]*:[A-Za-z]*>[A-Za-z]*")
VCF_HEAD = b"##fileformat=VCF"


class Asked:
    """The variants of what a user gives; iterating reads a file from its start.

    A `str` of the form chrom:pos:ref>alt is a variant (counted from 1, as VCF), any other `str` the path of a file:
    VCF, or a table that `io.VariantTable` reads. In a list every `str` is a variant. Symbolic alleles of a VCF file
    have no sequence: they are left out and counted in `skipped`.

    Args:
        variants: as above.
        genome: REF is compared with it.
        rename: names in the file -> names in the genome, see `ContigNames`.
        sorted_only: refuse files that are not sorted by contig and position.

    Raises:
        ConfigError: no variant.
        FormatError: a pipe; files are read twice, so that nothing is computed for one with a mistake in it.
    """

    def __init__(
        self, variants: Variants, genome: Genome, *, rename: Mapping[str, str] | str | None = None,
        sorted_only: bool = False,
    ) -> None:
        self.genome, self.rename, self.sorted_only = genome, rename, sorted_only
        self.path: Path | None = None
        self.named: list[Variant] = []
        self.skipped: Counter[str] = Counter()
        if isinstance(variants, Path) or (isinstance(variants, str) and not TEXT.fullmatch(variants.strip())):
            self.path = Path(variants)
            require_regular(self.path, "variants are read twice")
            return
        several = [variants] if isinstance(variants, str | Variant) else variants
        self.named = [Variant.parse(one) if isinstance(one, str) else one for one in several]
        if not self.named:
            raise ConfigError("variants: expected at least one, got none; name one, as chr22:36201698:A>C")

    def each(self, mismatched: Callable[[Mismatch], None] | None = None) -> Iterator[VcfVariant]:
        """The variants in their order, each with the line that it stands in.

        Args:
            mismatched: is told of those whose REF the genome does not have, which are then left out; None raises.

        Raises:
            FormatError: a malformed file, or one that is not sorted.
            CoordinateError: an unknown contig, or a REF that the genome does not have.
        """
        if self.path is None:
            yield from self._named(mismatched)
        elif _is_vcf(self.path):
            found = Vcf(self.path, symbolic="skip", rename=self.rename, genome=self.genome, mismatched=mismatched,
                        sorted_only=self.sorted_only)  # fmt: skip
            yield from found
            self.skipped = Counter(found.skipped)
        else:
            yield from VariantTable(self.path, genome=self.genome, rename=self.rename, mismatched=mismatched)

    def checked(self, skipped: str | Path | None = None, *, overwrite: bool = False) -> tuple[int, int]:
        """Read all and return how many alleles have effects, and how many lines have a REF that the genome has not.

        Args:
            skipped: a TSV file to write those lines to; None refuses them.
            overwrite: replace that file.

        Raises:
            CoordinateError: the first REF that the genome does not have, and how many there are of these.
            FormatError: as `each`; no variant at all.
        """
        first: list[Mismatch] = []
        n_wrong = n_right = n = line = 0
        with nullcontext() if skipped is None else replacing(skipped, overwrite=overwrite) as file:
            if file is not None:
                file.write(tsv_line(Mismatch._fields) + "\n")

            def mismatched(found: Mismatch) -> None:
                nonlocal n_wrong
                n_wrong += 1
                first.extend([found] if n_wrong == 1 else [])
                if file is not None:
                    file.write(tsv_line(found) + "\n")

            for one in self.each(mismatched):
                n, n_right, line = n + 1, n_right + (one.line != line), one.line
        if n_wrong and skipped is None:
            raise CoordinateError(
                f"{first[0].message} {n_wrong:,} of {n_wrong + n_right:,} lines differ from the genome; correct them, "
                "or have them left out and written to a file of their own (skip_mismatched)"
            )
        if not n:
            raise FormatError(f"{self.path or 'variants'}: expected a variant that the genome has, got none; is it the "
                              "right file?")
        return n, n_wrong

    def _named(self, mismatched: Callable[[Mismatch], None] | None) -> Iterator[VcfVariant]:
        check = RefCheck(self.genome, self.rename, mismatched, "variants")
        resolve = check.resolver()
        for i, one in enumerate(self.named, start=1):
            where = f"variants, number {i}"
            chrom = resolve(one.chrom, where)
            if check.is_right(where, i, chrom, one.start + 1, ".", one.ref, one.alt):
                variant = Variant.of_checked(chrom, one.start, one.ref, one.alt)
                yield VcfVariant(variant, ".", ".", ".", ".", 1, i)


def _is_vcf(path: Path) -> bool:
    """Whether a file begins as VCF does."""
    return next((line.startswith(VCF_HEAD) for _, line in lines(path)), False)
