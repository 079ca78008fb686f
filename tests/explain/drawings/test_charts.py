"""The centred table, and drawings that are well-formed and load nothing."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from gattn_tg.errors import ShapeError
from gattn_tg.explain.drawings import charts, page
from gattn_tg.explain.drawings.line_chart import Line, line_chart
from gattn_tg.explain.drawings.svg import Scale, ticks
from gattn_tg.explain.drawings.tracks import Site, Span, Tracks, binned
from gattn_tg.explain.motif_table import centred, motif_frequency
from gattn_tg.seq.composition import gc_fraction


def test_centred_does_not_see_constants() -> None:
    rng = np.random.default_rng(0)
    table, frequency = rng.standard_normal((2, 4)), np.array([0.7, 0.1, 0.2, 0.0])
    once = centred(table, frequency)
    assert (once @ frequency) == pytest.approx([0, 0], abs=1e-12)
    assert centred(table + rng.standard_normal((2, 1)), frequency) == pytest.approx(once)
    assert np.diff(once) == pytest.approx(np.diff(table))
    with pytest.raises(ShapeError, match="got a table of 4 columns and 3 frequencies"):
        centred(table, frequency[:3])


def test_frequencies_leave_padding_out() -> None:
    ids = np.array([[1, 0, 0], [2, 2, 1]], np.uint8)
    assert motif_frequency(ids, np.array([1, 3]), 4).tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.52, 0.97), (186_963, 397_118), (-1.7, 1.7), (1, 7)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 3 <= len(found) <= 11
    assert all(low <= t <= high for t in found)
    assert np.diff(found) == pytest.approx(found[1] - found[0])


def test_scale() -> None:
    assert Scale(10, 20, 100, 300)(15) == 200
    assert Scale(5, 5, 0, 1)(5) == 0


def test_names_of_crowded_genes_do_not_lie_on_each_other() -> None:
    genes = [Span(1000 + 2 * k, 1010 + 2 * k, f"GENE_NUMBER_{k}", "+") for k in range(5)]
    drawn = Tracks("chr1", 1000, 1300).genes(genes).draw("locus")
    names = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>GENE_NUMBER_\d<', drawn)
    assert len(names) == 5
    wide = 2 * 3.9 * len("GENE_NUMBER_0")
    for i, (x, y) in enumerate(names):
        assert not [1 for other_x, other_y in names[:i] if other_y == y and abs(float(x) - float(other_x)) < wide]
    assert float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawn)[1]) > max(float(y) for _, y in names)


@pytest.mark.parametrize("sign", [1, -1])
def test_values_of_one_sign_take_the_whole_width_of_the_motif_table(sign: int) -> None:
    table = sign * np.array([[0.0, 0.2, 0.4]])
    drawn = charts.motif_bars(table, ["a", "b", "c"], ["#123456"] * 3, np.ones(3) / 3, "table")
    bars = re.findall(r'<rect x="[\d.]+" y="[\d.]+" width="([\d.]+)" height="9"', drawn)
    assert len(bars) == 3
    assert max(map(float, bars)) > 0.8 * (1040 - 150 - 92)
    zeros = charts.motif_bars(0 * table, ["a", "b", "c"], ["#123456"] * 3, np.ones(3) / 3, "table")
    assert ElementTree.fromstring(zeros).tag.endswith("svg")


def drawings() -> list[str]:
    sequence = b"ACGCGN" * 50
    tracks = (
        Tracks("chr1", 1000, 1300)
        .genes([Span(1010, 1100, "A<B", "+"), Span(1050, 1200, "LONGNAME", "-")])
        .boxes("islands", "", [Span(1020, 1040, "x & y")])
        .area("GC", "share", binned(sequence, 10, gc_fraction), 1.0, "#123456")
        .density("cpg", "", np.array([0.0, 2.0, 5.0]), "#123456")
        .splice_sites([Site(1100, 0.9, "donor", "+", True), Site(1150, 0.6, "acceptor", "-", False)], 0.5)
    )
    return [
        tracks.draw("locus"),
        line_chart([Line("a & b", "#111111", [1, 2], [0.1, 0.5], 2), Line("c", "#222222", [1], [0.1])], "x", "epoch"),
        charts.confusion(np.array([[3, 1], [0, 0]]), ["<a>", "b"], "x"),
        charts.motif_bars(np.array([[0.5, -1.0]]), ["none", "cpg"], ["#111111", "#222222"], np.array([0.9, 0.1]), "x"),
    ]


@pytest.mark.parametrize("index", range(4))
def test_drawings_are_well_formed(index: int) -> None:
    root = ElementTree.fromstring(drawings()[index])
    assert root.tag.endswith("svg")
    assert not re.search(r"nan|inf", drawings()[index])


def test_a_page_loads_nothing() -> None:
    cards = [page.section("t < u", "about", d, wide=True) for d in drawings()]
    html = page.page("k", "title & co", "lead", [page.Tile("1", "one", True)], [page.pair(cards[0], cards[1])], "end")
    assert "title &amp; co" in html
    assert "t &lt; u" in html
    outside = re.findall(r"""(?:src|href|url|@import)\s*[=(]?\s*["']?(?:https?:)?//""", html)
    assert not outside
    assert not re.search(r"<(script|link|img|iframe)", html)


def test_a_table_of_several_rows_is_sorted_by_a_click() -> None:
    """By a script of the page itself; names stay text."""
    short, long = (page.table(["<b>", "r"], [["<i>", "1"]] * n) for n in (page.LEAST_SORTED - 1, page.LEAST_SORTED))
    assert "<button" not in short
    assert long.count('<button type="button">') == 2
    assert '<th><button type="button">&lt;b&gt;</button></th><th class=n>' in long
    html = page.page("k", "t", "lead", [], [page.section("t", "a", long)], "end")
    assert html.count("<script") == html.count("<script>") == 1
    assert "<script" not in page.page("k", "t", "lead", [], [page.section("t", "a", short)], "end")


def test_a_chart_of_epochs_names_them_and_counts_in_whole_ones() -> None:
    drawn = line_chart([Line("a", "#111111", [1, 2], [0.1, 0.5], 2)], "x", "epoch")
    words = re.findall(r">([^<>]+)</text>", drawn)
    assert "epoch" in words
    assert "best at epoch 2" in drawn
    assert [word for word in words[: words.index("epoch")] if re.fullmatch(r"[\d.]+", word)][-2:] == ["1", "2"]
