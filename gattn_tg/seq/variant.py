"""Variants: one allele replaced by another at a place in the genome."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.seq.alphabet import ENCODE, ILLEGAL
from gattn_tg.seq.interval import MAX_DIGITS, Interval

_TEXT = re.compile(r"(?P<chrom>.+):(?P<pos1>[0-9][0-9,]*):(?P<ref>[A-Za-z]*)>(?P<alt>[A-Za-z]*)")
SHOWN_BP = 40  # of an allele that a message shows
_STEP = 64  # bases fetched at once while an allele moves to the left

Fetch = Callable[[Interval], bytes]
"""What reads the letters of an interval, forward strand; `io.Genome.fetch` is one."""


@dataclass(frozen=True, order=True, slots=True)
class Variant:
    """`ref` at `start` of a contig becomes `alt`.

    Args:
        chrom: name of the contig.
        start: first base of `ref`, counted from 0.
        ref: letters of the genome, upper case; empty for an insertion without an anchor.
        alt: letters that replace them, upper case; empty for a deletion without an anchor.

    Raises:
        CoordinateError: a negative start.
        FormatError: alleles that are no sequence, or the same twice.

    Example:
        >>> variant = Variant.parse("chr22:36201698:A>C")
        >>> variant.start, str(variant)
        (36201697, 'chr22:36201698:A>C')
    """

    chrom: str
    start: int
    ref: str
    alt: str

    def __post_init__(self) -> None:
        if self.start < 0:
            raise CoordinateError(
                f"variant on {self.chrom}: expected a position of at least 1, got {self.start + 1}; "
                "VCF counts from 1"
            )
        for allele in (self.ref, self.alt):
            if not is_sequence(allele):
                raise FormatError(
                    f"variant {self.shown}: expected alleles of upper-case nucleotide letters, got "
                    f"{shown(allele)!r}; "
                    "symbolic alleles have no sequence"
                )
        if self.ref == self.alt:
            raise FormatError(
                f"variant {self.shown}: expected two different alleles, but both are the same; remove it"
            )

    @classmethod
    def of_checked(cls, chrom: str, start: int, ref: str, alt: str) -> Variant:
        """Make a variant of parts that are known to be right; a long `ref` of many alleles is not looked at again."""
        made = object.__new__(cls)
        for name, value in (("chrom", chrom), ("start", start), ("ref", ref), ("alt", alt)):
            object.__setattr__(made, name, value)
        return made

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Read `chrom:pos:ref>alt` with the position counted from 1, as in VCF.

        Raises:
            FormatError: another form.
            CoordinateError: position 0.
        """
        match = _TEXT.fullmatch(text.strip())
        digits = match["pos1"].replace(",", "") if match else ""
        if not match or len(digits) > MAX_DIGITS:
            raise FormatError(
                f"variant: expected chrom:pos:ref>alt, got {text[:80]!r}; for example chr22:36201698:A>C"
            )
        return cls(match["chrom"], int(digits) - 1, match["ref"].upper(), match["alt"].upper())

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start + 1}:{self.ref}>{self.alt}"

    @property
    def shown(self) -> str:
        """Like `str`, with long alleles cut: for messages."""
        return f"{self.chrom}:{self.start + 1}:{shown(self.ref)}>{shown(self.alt)}"

    @property
    def end(self) -> int:
        """The base after the last one of `ref`."""
        return self.start + len(self.ref)

    @property
    def interval(self) -> Interval:
        """The bases of `ref`."""
        return Interval(self.chrom, self.start, self.end)

    @property
    def kind(self) -> str:
        """ "snv", "mnv" (equally long alleles), "insertion", "deletion", or "indel" (both at once)."""
        shared = sum(self._shared_ends())
        ref, alt = len(self.ref) - shared, len(self.alt) - shared
        if ref == alt:
            return "snv" if ref == 1 else "mnv"
        if ref and alt:
            return "indel"
        return "deletion" if ref else "insertion"

    @property
    def inverse(self) -> Variant:
        """The variant that leads from the changed sequence back."""
        return replace(self, ref=self.alt, alt=self.ref)

    def trimmed(self) -> Variant:
        """Return the variant without the bases that both alleles share at their ends; an allele may become empty."""
        before, behind = self._shared_ends()
        ref, alt = (allele[before : len(allele) - behind] for allele in (self.ref, self.alt))
        return self.of_checked(self.chrom, self.start + before, ref, alt)

    def _shared_ends(self) -> tuple[int, int]:
        """How many bases both alleles share at their start and at their end, the end first; no allele is copied."""
        behind = _shared(reversed(self.ref), reversed(self.alt))
        before = _shared(*(islice(allele, len(allele) - behind) for allele in (self.ref, self.alt)))
        return before, behind

    def left_normalised(self, fetch: Fetch) -> Variant:
        """Return the shortest variant of the same effect at the leftmost place, both alleles with a base, as VCF wants.

        Args:
            fetch: reads the genome, `io.Genome.fetch`.

        Raises:
            CoordinateError: the genome does not have `ref` there.

        Source: Tan, Abecasis and Kang (2015) Bioinformatics 31:2202, algorithm 1.
        """
        self.check_reference(fetch(self.interval))
        short = self.trimmed()
        ref, alt, start = short.ref, short.alt, short.start
        if not (ref and alt) and start:
            # The allele that is not empty moves while its last base equals the base before it. A step turns it by one
            # base: after k steps its last base is the one that stands k places before its end, counted round.
            moving, steps, before = ref or alt, 0, b""
            while start:
                if not before:
                    before = fetch(Interval(self.chrom, max(start - _STEP, 0), start)).upper()
                base, before = chr(before[-1]), before[:-1]
                start -= 1
                anchored = moving[-1 - steps % len(moving)] != base
                if anchored:
                    break
                steps += 1
            at = len(moving) - steps % len(moving)
            moved = moving[at:] + moving[:at]
            anchor = base if anchored else ""
            ref, alt = (anchor + moved, anchor) if ref else (anchor, anchor + moved)
        if not (ref and alt):
            # At the start of a contig there is no base before: the one after is the anchor.
            base = fetch(Interval(self.chrom, start + len(ref), start + len(ref) + 1)).decode("ascii").upper()
            ref, alt = ref + base, alt + base
        return self.of_checked(self.chrom, start, ref, alt)

    def check_reference(self, found: bytes) -> None:
        """Refuse a genome with other letters than `ref`; the case does not matter, an N there is a difference.

        Args:
            found: the genome's letters at `interval`.

        Raises:
            CoordinateError: the text names the position and both alleles.
        """
        check_reference(self.shown, self.ref, found)

    def apply(self, window: Interval, sequence: bytes) -> bytes:
        """Return the letters of a window with `alt` in the place of `ref`; an indel changes the length.

        Args:
            window: holds the whole of `ref`; its strand is not looked at.
            sequence: the letters of the window, forward strand.

        Raises:
            CoordinateError: `ref` is not inside the window, the sequence is not as long as the window, or has other
                letters at this place.

        Example:
            >>> Variant.parse("chr1:3:GT>G").apply(Interval("chr1", 0, 6), b"ACGTAC")
            b'ACGAC'
        """
        if not window.contains(self.interval) or len(sequence) != len(window):
            raise CoordinateError(
                f"variant {self.shown}: expected a window that holds it, with all its letters, "
                f"got {window} with {len(sequence)}; resize the window"
            )
        at = self.start - window.start
        self.check_reference(sequence[at : at + len(self.ref)])
        return sequence[:at] + self.alt.encode("ascii") + sequence[at + len(self.ref) :]

    def alternative(self, window: Interval, fetch: Fetch) -> bytes:
        """Return the changed window at its old length: what an indel takes or adds is made up at the right end.

        Args:
            window: holds the whole of `ref`.
            fetch: reads the genome, at most the length of `ref` further than the window; it pads where that is
                needed.

        Raises:
            CoordinateError: as `apply`.
        """
        missing = max(len(self.ref) - len(self.alt), 0)
        wide = replace(window, end=window.end + missing, strand=".")
        return self.apply(wide, fetch(wide))[: len(window)]


def check_reference(variant: str, ref: str, found: bytes) -> None:
    """Refuse a genome that does not have `ref` where a variant says so.

    Args:
        variant: how the message calls it, `chrom:pos:ref>alt`.
        ref: upper-case letters.
        found: the genome's letters there.

    Raises:
        CoordinateError: other letters, whatever their case.
    """
    letters = found.decode("ascii", errors="replace").upper()
    if letters != ref:
        raise CoordinateError(
            f"variant {variant}: the genome has {shown(letters) or 'no base'} at this position; "
            "was the VCF made for another assembly?"
        )


def shown(allele: str) -> str:
    """An allele as a message shows it, cut where it is long."""
    return allele if len(allele) <= SHOWN_BP else f"{allele[:SHOWN_BP]}... ({len(allele):,} letters)"


def _shared(one: Iterable[str], other: Iterable[str]) -> int:
    """How many letters at the start of both are the same."""
    n = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        n += 1
    return n


def is_sequence(allele: str) -> bool:
    """Whether an allele consists of upper-case nucleotide letters; the empty one does."""
    raw = allele.encode("utf-8")
    return not raw or (allele.isupper() and bool((ENCODE[np.frombuffer(raw, dtype=np.uint8)] != ILLEGAL).all()))
