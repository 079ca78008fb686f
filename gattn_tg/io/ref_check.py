"""What files of variants say a genome has somewhere, compared with what it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gattn_tg.errors import ConfigError, CoordinateError
from gattn_tg.io.genome import Genome
from gattn_tg.seq.interval import Interval
from gattn_tg.seq.variant import check_reference, shown


class Mismatch(NamedTuple):
    """A line whose REF the genome does not have; `pos1` counts from 1, `message` is the whole sentence about it."""

    line: int
    chrom: str
    pos1: int
    id: str
    ref: str
    alt: str
    message: str


class RefCheck:
    """Names of contigs and letters of a genome, looked up for the lines of a file.

    Args:
        genome: what is compared with; None compares nothing, and names stay as they are or as `rename` says.
        rename: name in the file -> name in the genome; see `ContigNames` for "auto".
        mismatched: is told of every line that differs, which is then left out; None raises.
        where: what the file is called where `rename` cannot be used.

    Attributes:
        n_checked: lines whose letters are right.

    Raises:
        ConfigError: rename="auto" without a genome.
    """

    def __init__(
        self, genome: Genome | None, rename: Mapping[str, str] | str | None = None,
        mismatched: Callable[[Mismatch], None] | None = None, where: str = "vcf",
    ) -> None:
        if isinstance(rename, str) and genome is None:
            raise ConfigError(
                f"{where}: expected a genome to rename contigs by {rename!r}, got none; give the FASTA file"
            )
        self.genome, self.rename, self.mismatched = genome, rename, mismatched
        self.n_checked = 0

    def resolver(self) -> Callable[[str, str], str]:
        """What gives the genome's name of a contig: (name, file and line) -> name.

        Raises:
            CoordinateError: when it is called: the genome has no such contig.
        """
        if self.genome is None:
            table = dict(self.rename) if isinstance(self.rename, Mapping) else {}
            return lambda name, where: table.get(name, name)
        if self.rename is None:
            return self.genome.names.resolve
        return type(self.genome.names)(self.genome.sizes, self.rename).resolve

    def is_right(self, where: str, line: int, chrom: str, pos1: int, name: str, ref: str, alt: str) -> bool:
        """Whether the genome has `ref` there.

        Args:
            where: file and line, for the message.
            line: its number.
            chrom: the genome's name.
            pos1: first base of `ref`, counted from 1.
            name: id of the variant.
            ref: upper-case letters.
            alt: as the file has it.

        Raises:
            CoordinateError: it has not, and `mismatched` is None.
        """
        if self.genome is None:
            return True
        try:
            self._check(where, self.genome, chrom, pos1, ref, alt)
        except CoordinateError as error:
            if self.mismatched is None:
                raise
            self.mismatched(Mismatch(line, chrom, pos1, name, ref, alt, str(error)))
            return False
        self.n_checked += 1
        return True

    def _check(self, where: str, genome: Genome, chrom: str, pos1: int, ref: str, alt: str) -> None:
        place = Interval(chrom, pos1 - 1, pos1 - 1 + len(ref))
        name = f"{chrom}:{pos1}:{shown(ref)}>{shown(alt)}"
        size = genome.sizes[chrom]
        if place.end > size:
            raise CoordinateError(
                f"{where}: variant {name}: expected a position on {chrom}, which has {size} bases, but it "
                "lies outside; was the VCF made for another assembly?"
            )
        try:
            check_reference(name, ref, genome.fetch(place))
        except CoordinateError as error:
            raise CoordinateError(f"{where}: {error}") from error
