# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Interval algebra."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import CoordinateError
from gattn_tg.seq import Interval

places = st.integers(-500, 500)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    start, end = sorted((draw(places), draw(places)))
    return Interval(draw(st.sampled_from(["chr1", "HLA-A*01:01"])), start, end, draw(st.sampled_from("+-.")))


def bases(interval: Interval) -> set[tuple[str, int]]:
    return {(interval.chrom, at) for at in range(interval.start, interval.end)}


@given(intervals())
def test_text_reads_back(interval: Interval) -> None:
    here = interval.shift(500)
    assert Interval.parse(str(here)) == here


def test_parse() -> None:
    assert Interval.parse("chr7:117,559,590-117,559,600") == Interval("chr7", 117559590, 117559600)
    assert Interval.parse("chr7:117,559,590-117,559,600:-", one_based=True) == Interval("chr7", 117559589, 117559600, "-")
    assert Interval.parse("HLA-A*01:01:5-7") == Interval("HLA-A*01:01", 5, 7)


@given(intervals(), intervals())
def test_overlap_and_intersection_are_those_of_sets_of_bases(one: Interval, two: Interval) -> None:
    shared = bases(one) & bases(two)
    assert one.overlap(two) == two.overlap(one) == len(shared)
    both = one.intersect(two)
    assert (bases(both) if both else set()) == shared
    assert one.contains(two) == (one.chrom == two.chrom and one.start <= two.start and two.end <= one.end)


@given(intervals(), st.integers(-100, 100), st.integers(0, 300))
def test_shift_and_resize(interval: Interval, by: int, width: int) -> None:
    assert interval.shift(by).shift(-by) == interval
    wide = interval.resize(width)
    assert len(wide) == width
    assert (wide.chrom, wide.strand) == (interval.chrom, interval.strand)
    assert wide.centre == interval.centre
    assert wide.resize(len(interval)).centre == interval.centre


@given(intervals(), st.integers(1, 400))
def test_clip_keeps_the_bases_on_the_contig(interval: Interval, size: int) -> None:
    inside = {(chrom, at) for chrom, at in bases(interval) if 0 <= at < size}
    if inside:
        assert bases(interval.clip(size)) == inside
    elif len(interval):
        with pytest.raises(CoordinateError, match="a base on the contig of"):
            interval.clip(size)


@given(intervals(), st.integers(1, 90), st.integers(1, 90))
def test_tiles_are_all_windows_inside(interval: Interval, width: int, stride: int) -> None:
    starts = [at for at in range(interval.start, interval.end) if (at - interval.start) % stride == 0 and at + width <= interval.end]
    tiles = list(interval.tile(width, stride))
    assert [tile.start for tile in tiles] == starts
    assert all(len(tile) == width and interval.contains(tile) for tile in tiles)
    touching = list(interval.tile(width))
    assert all(a.end == b.start for a, b in pairwise(touching))


HERE = Interval("chr1", 5, 9)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Interval("chr1", 5, 4), "interval: expected a contig name, start <= end and strand + - or ., got 'chr1', 5, 4, '.'; bases count from 0 and the end is outside"),
        (lambda: Interval("", 5, 6), "interval: expected a contig name, start <= end and strand + - or ., got '', 5, 6, '.'; bases count from 0 and the end is outside"),
        (lambda: Interval("chr1", 5, 6, "x"), "interval: expected a contig name, start <= end and strand + - or ., got 'chr1', 5, 6, 'x'; bases count from 0 and the end is outside"),
        (lambda: Interval.parse("chr1:5"), "interval: expected chrom:start-end, got 'chr1:5'; for example chr7:117,559,590-117,559,600"),
        (lambda: Interval.parse("chr1:0-5", one_based=True), "interval: expected a start of at least 1 where bases count from 1, got 'chr1:0-5'; is the interval 0-based?"),
        (lambda: HERE.resize(-1), "interval chr1:5-9: expected a width of at least 0, got -1; correct it"),
        (lambda: HERE.clip(4), "interval chr1:5-9: expected a base on the contig of 4 bases, but it lies outside; is this another assembly?"),
        (lambda: HERE.tile(0), "interval chr1:5-9: expected a width and stride of at least 1, got 0 and 0; correct them"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Callable[[], object], text: str) -> None:
    with pytest.raises(CoordinateError) as caught:
        call()
    assert str(caught.value) == text
