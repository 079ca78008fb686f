# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Variants: applied, taken back, normalised."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import CoordinateError, FormatError
from gattn_tg.seq import Interval, Variant


@st.composite
def changes(draw: st.DrawFn) -> tuple[bytes, Variant]:
    """A contig, repetitive so that indels can move, and a variant that fits it."""
    contig = draw(st.text(alphabet="ACG", min_size=2, max_size=24))
    start = draw(st.integers(0, len(contig)))
    ref = contig[start : draw(st.integers(start, min(start + 5, len(contig))))]
    alt = draw(st.text(alphabet="ACG", max_size=5).filter(lambda alt: alt != ref))
    return contig.encode(), Variant("c", start, ref, alt)


def reader(contig: bytes) -> Callable[[Interval], bytes]:
    return lambda interval: contig[interval.start : interval.end]


@given(changes())
def test_inverse_takes_the_change_back(change: tuple[bytes, Variant]) -> None:
    contig, variant = change
    changed = variant.apply(Interval("c", 0, len(contig)), contig)
    assert changed == contig[: variant.start] + variant.alt.encode() + contig[variant.end :]
    assert variant.inverse.apply(Interval("c", 0, len(changed)), changed) == contig


@given(changes())
def test_normalised_variants_do_the_same_and_are_leftmost(change: tuple[bytes, Variant]) -> None:
    contig, variant = change
    whole = Interval("c", 0, len(contig))
    changed = variant.apply(whole, contig)
    normal = variant.left_normalised(reader(contig))
    assert normal.apply(whole, contig) == changed
    assert normal.left_normalised(reader(contig)) == normal
    if len(normal.ref) != len(normal.alt) and changed and min(len(normal.ref), len(normal.alt)) == 1:
        # No anchored indel of this size further left has the same effect.
        for start in range(normal.start):
            ref = contig[start : start + len(normal.ref)].decode()
            alt = changed[start : start + len(normal.alt)].decode()
            if ref != alt and len(ref) == len(normal.ref):
                assert Variant("c", start, ref, alt).apply(whole, contig) != changed


@given(changes())
def test_trimmed_variants_do_the_same(change: tuple[bytes, Variant]) -> None:
    contig, variant = change
    whole = Interval("c", 0, len(contig))
    short = variant.trimmed()
    assert short.apply(whole, contig) == variant.apply(whole, contig)
    assert not (short.ref and short.alt) or (short.ref[0] != short.alt[0] and short.ref[-1] != short.alt[-1])


@given(changes(), st.integers(0, 4))
def test_alternative_windows_keep_their_length(change: tuple[bytes, Variant], flank: int) -> None:
    contig, variant = change
    window = Interval("c", max(variant.start - flank, 0), variant.end + flank)
    padded = contig + b"N" * 20
    found = variant.alternative(window, reader(padded))
    changed = variant.apply(Interval("c", 0, len(padded)), padded)
    assert found == changed[window.start : window.end]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("c:1:A>C", "snv"), ("c:1:AC>GT", "mnv"), ("c:1:A>AT", "insertion"), ("c:1:AT>A", "deletion"), ("c:1:CAT>CG", "indel"), ("c:1:ACG>ATG", "snv")],
)  # fmt: skip
def test_kinds(text: str, kind: str) -> None:
    assert Variant.parse(text).kind == kind


def test_text_counts_from_one() -> None:
    variant = Variant.parse("chr22:36,201,698:a>c")
    assert variant == Variant("chr22", 36201697, "A", "C")
    assert str(variant) == "chr22:36201698:A>C"
    assert variant.interval == Interval("chr22", 36201697, 36201698)


def test_normalising_needs_several_fetches_in_long_repeats() -> None:
    contig = b"G" + b"A" * 300
    assert Variant("c", 300, "A", "AA").left_normalised(reader(contig)) == Variant("c", 0, "G", "GA")


SNV = Variant.parse("chr7:117559593:A>G")


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: Variant.parse("chr22:A>C"), FormatError, "variant: expected chrom:pos:ref>alt, got 'chr22:A>C'; for example chr22:36201698:A>C"),
        (lambda: Variant.parse("chr22:0:A>C"), CoordinateError, "variant on chr22: expected a position of at least 1, got 0; VCF counts from 1"),
        (lambda: Variant("c", 0, "A", "A"), FormatError, "variant c:1:A>A: expected two different alleles, but both are the same; remove it"),
        (lambda: Variant("c", 0, "A", "<DEL>"), FormatError, "variant c:1:A><DEL>: expected alleles of upper-case nucleotide letters, got '<DEL>'; symbolic alleles have no sequence"),
        (lambda: SNV.check_reference(b"t"), CoordinateError, "variant chr7:117559593:A>G: the genome has T at this position; was the VCF made for another assembly?"),
        (lambda: SNV.check_reference(b""), CoordinateError, "variant chr7:117559593:A>G: the genome has no base at this position; was the VCF made for another assembly?"),
        (lambda: SNV.apply(Interval("chr7", 0, 4), b"ACGT"), CoordinateError, "variant chr7:117559593:A>G: expected a window that holds it, with all its letters, got chr7:0-4 with 4; resize the window"),
        (lambda: Variant.parse("c:3:G>T").apply(Interval("c", 0, 4), b"ACTT"), CoordinateError, "variant c:3:G>T: the genome has T at this position; was the VCF made for another assembly?"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Callable[[], object], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == text
