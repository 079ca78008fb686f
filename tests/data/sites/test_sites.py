"""Sparse sites: tables, patterns, surroundings and rows, the same on both strands; files that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gattn_tg.data.genomes.stretches import Stretch, Stretches
from gattn_tg.data.sites.blocks import joined, on_contigs, without
from gattn_tg.data.sites.listed import SiteList, found_sites, listed_sites, require_pattern, stretches_of
from gattn_tg.data.sites.measured import read_counted_sites, read_labelled_sites
from gattn_tg.data.sites.neighbours import SiteRows
from gattn_tg.data.sites.surroundings import n_facts, surroundings
from gattn_tg.errors import ConfigError, CoordinateError, FormatError, GattnError
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.motif.islands import cpg_islands
from gattn_tg.seq.composition import cpg_observed_expected, gc_fraction
from gattn_tg.seq.interval import Interval
from gattn_tg.seq.strand import reverse_complement

VOCABULARY = MotifVocabulary.default()
SPANS = (20, 300)
FIRST = 5_000  # of the stretch, in the genome


def stretch(ids: np.ndarray, first: int = FIRST) -> Stretches:
    return Stretches([Stretch(Interval("c", first, first + len(ids)), ids, annotate(ids, VOCABULARY))], VOCABULARY)


@pytest.fixture(scope="module")
def ids() -> np.ndarray:
    """A stretch with an island of CpG in it."""
    rng = np.random.default_rng(3)
    island = rng.choice([1, 2, 1, 2, 0, 3], 700)
    return np.concatenate([rng.integers(0, 4, 900), island, rng.integers(0, 4, 600)]).astype(np.uint8)


def rows_of(ids: np.ndarray, n_sites: int, around_bp: int = 16, site_bp: int = 2) -> SiteRows:
    genome = stretch(ids)
    (sites,) = found_sites(genome, "CG", stretches_of(genome))
    facts = surroundings(genome, sites, site_bp, SPANS)
    return SiteRows(genome, [sites], facts, site_bp, around_bp, n_sites)


def table(path: Path, text: str) -> Path:
    path.write_text("#chrom\tstart\tend\tm\tcov\n" + text)
    return path


def test_labels_and_shares_of_a_table(tmp_path: Path) -> None:
    path = table(tmp_path / "t.tsv", "a\t9\t11\t1\t1\na\t4\t6\t0\t0\nb\t1\t3\tNA\t40\na\t2\t4\t\t3\na\t6\t8\t1\t30\n")
    a, b = read_labelled_sites(path, "m")
    assert (a.chrom, a.starts.tolist(), a.ends.tolist(), a.site_bp) == ("a", [2, 4, 6, 9], [4, 6, 8, 11], 2)
    np.testing.assert_array_equal(a.target, np.array([np.nan, 0, 1, 1], np.float32))
    assert (a.weight.tolist(), b.weight.tolist()) == ([0, 1, 1, 1], [0])
    a, b = read_counted_sites(path, "m", "cov", 20)
    np.testing.assert_allclose(a.target, [np.nan, np.nan, 1 / 30, 1])
    assert (a.weight.tolist(), b.weight.tolist()) == ([0, 0, 20, 1], [0])  # no reads, or no number: no weight


@pytest.mark.parametrize(("text", "said"), [
    ("a\t4\t6\t2\t1\n", "line 2, column 'm': expected 0 or 1, got '2'"),
    ("a\t4\t6\t1\n", "line 2: expected 5 columns, got 4"),
    ("a\t4\t6\t1\t1\na\t7\t8\t1\t1\n", "line 3: expected a site of 2 bases as on the lines before, got 1"),
    ("a\t4\t4\t1\t1\n", "expected a site of 1 bases"),
    ("a\t4\t6\t1\t1\na\t4\t6\t0\t1\n", "line 3: expected every site once, got a:4 again"),
    ("a\t-4\t6\t1\t1\n", "expected start, a whole number"),
    ("", "expected at least one site, got none"),
])  # fmt: skip
def test_a_wrong_table_gets_one_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=said):
        read_labelled_sites(table(tmp_path / "t.tsv", text), "m")


def test_a_table_without_the_columns_or_with_too_many_reads_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t.tsv", "a\t4\t6\t3\t2\n")
    with pytest.raises(FormatError, match="expected m of at most cov = 2, got 3; are the columns exchanged"):
        read_counted_sites(path, "m", "cov", 20)
    with pytest.raises(FormatError, match="a header with chrom, start, end and m and reads, got chrom, start, end, m"):
        read_counted_sites(path, "m", "reads", 20)


def test_sites_of_a_pattern_are_all_its_places(ids: np.ndarray) -> None:
    genome = stretch(ids)
    (sites,) = found_sites(genome, "CG", stretches_of(genome))
    assert sites.starts.tolist() == (FIRST + np.flatnonzero((ids[:-1] == 1) & (ids[1:] == 2))).tolist()
    assert found_sites(genome, "CGCGCGCGCGCGCGCGCGCGCGCGCGCGCG", stretches_of(genome)) == []
    (listed,) = listed_sites(genome, {"c": sites.starts[::3]}, 2, "CG")
    assert listed.starts.tolist() == sites.starts[::3].tolist()


@pytest.mark.parametrize(("wanted", "pattern", "said"), [
    ({"c": [FIRST + 1, 99_999]}, "", "site c:99999: expected it within a sequence, got 1 of 2 outside; there are c"),
    ({"x": [FIRST]}, "", "site x:5000: expected it within a sequence"),
    ({"c": [FIRST, FIRST + 1, FIRST + 2]}, "CG", "expected the letters CG at every site, got others at 3 of 3"),
])  # fmt: skip
def test_sites_elsewhere_are_refused(wanted: dict[str, list[int]], pattern: str, said: str) -> None:
    genome = stretch(np.zeros(50, np.uint8))
    with pytest.raises(CoordinateError, match=said):
        listed_sites(genome, {chrom: np.array(starts) for chrom, starts in wanted.items()}, 2, pattern)


@pytest.mark.parametrize("pattern", ["CA", "cg", "N", "CXG", "CG" * 40, ""])
def test_a_pattern_of_one_strand_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="pattern"):
        require_pattern(pattern)
    require_pattern("GATC")
    require_pattern("CCWGG")


def test_surroundings_are_counted_base_by_base(ids: np.ndarray) -> None:
    genome = stretch(ids)
    (sites,) = found_sites(genome, "CG", stretches_of(genome))
    facts = surroundings(genome, sites, 2, SPANS)
    padded = np.pad(ids, max(SPANS), constant_values=4)
    (island,) = cpg_islands(ids)
    assert facts.shape == (len(sites.starts), n_facts(SPANS))
    for row in (0, 7, len(facts) // 2, len(facts) - 1):
        at = int(sites.starts[row]) - FIRST
        expected: list[float] = []
        for span in SPANS:
            part = padded[at - span + max(SPANS) : at + 2 + span + max(SPANS)]
            cpg = int(((part[:-1] == 1) & (part[1:] == 2)).sum())
            expected += [gc_fraction(part), cpg / (part < 4).sum(), np.log1p(cpg), cpg_observed_expected(part)]
        away = min(max(island.start - at - 2, at - island.end, 0), max(SPANS))
        expected += [away == 0, np.log1p(away)]
        gaps = np.diff(np.concatenate([[-9_999], sites.starts, [99_999]]))[row : row + 2]
        np.testing.assert_allclose(facts[row], [*expected, *np.log1p(np.minimum(gaps, max(SPANS)))], rtol=1e-6)


def test_surroundings_do_not_depend_on_what_is_looked_at_together(
    ids: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome = stretch(ids)
    (sites,) = found_sites(genome, "CG", stretches_of(genome))
    whole = surroundings(genome, sites, 2, SPANS)
    monkeypatch.setattr("gattn_tg.data.sites.surroundings.CHUNK_BP", 50)
    np.testing.assert_array_equal(surroundings(genome, sites, 2, SPANS), whole)


@pytest.mark.parametrize("n_sites", [1, 2, 7, 64, 4_000])
def test_every_wanted_site_is_answered_once_with_neighbours_on_both_sides(ids: np.ndarray, n_sites: int) -> None:
    rows = rows_of(ids, n_sites)
    total = len(rows)
    assert {k for tile in rows.tiles() for k in range(tile.first, tile.end)} == set(range(total))
    wanted = np.random.default_rng(n_sites).random(total) < 0.1
    answered = [k for window in rows.answering(wanted) for k in range(window.low, window.high)]
    assert len(answered) == len(set(answered))
    assert set(np.flatnonzero(wanted).tolist()) <= set(answered)
    assert sorted(k for w in rows.answering(np.ones(total, bool)) for k in range(w.low, w.high)) == [*range(total)]
    for window in rows.answering(np.ones(total, bool)):
        assert window.end - window.first == min(n_sites, total)
        assert window.low - window.first >= n_sites // 4 or window.first == window.low == 0
        assert window.end - window.high >= n_sites // 4 or window.end == window.high == total
    assert rows.answering(np.zeros(total, bool)) == []


@pytest.mark.parametrize("around_bp", [16, 17])  # the site cannot stand in the middle of 17
def test_a_turned_row_is_the_row_of_the_other_strand(ids: np.ndarray, around_bp: int) -> None:
    one, other = rows_of(ids, 20, around_bp), rows_of(reverse_complement(ids), 20, around_bp)
    total = len(one)
    here = one.answering(np.ones(total, bool))[2]
    there = here._replace(first=total - here.end, end=total - here.first)
    turned, plain = one.batch([here], np.array([True])), other.batch([there], np.array([False]))
    for name in ("bases", "motif_ids", "lengths", "positions"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(plain, name), err_msg=name)
    np.testing.assert_allclose(turned.facts, plain.facts, rtol=1e-6)
    np.testing.assert_array_equal(turned.at, total - 1 - plain.at)


def test_short_rows_are_padded_and_no_row_reaches_into_the_next_stretch(ids: np.ndarray) -> None:
    parts = [Stretch(Interval("c", first, first + 200), ids[at : at + 200], annotate(ids[at : at + 200], VOCABULARY))
             for first, at in ((100, 950), (900, 1_200))]  # fmt: skip
    genome = Stretches(parts, VOCABULARY)
    lists = found_sites(genome, "CG", stretches_of(genome))
    facts = np.concatenate([surroundings(genome, sites, 2, SPANS) for sites in lists])
    rows = SiteRows(genome, lists, facts, 2, 16, 500)
    first, second = rows.answering(np.ones(len(rows), bool))
    assert (first.end, second.first, second.end) == (len(lists[0].starts), len(lists[0].starts), len(rows))
    read = rows.batch([first, second], np.array([False, True]))
    for row, sites in enumerate(lists):
        n = len(sites.starts)
        assert read.lengths[row] == n
        assert (read.bases[row, n:] == 4).all()
        assert not read.facts[row, n:].any()
        assert not read.positions[row, n:].any()
        assert (read.at[row, n:] == -1).all()
        assert read.positions[row, :n].max() == sites.starts[-1] - sites.starts[0]
    assert (read.bases[0, 0, 7:9] == [1, 2]).all()  # the site stands in the middle


def test_blocks_are_cut_by_regions_and_chosen_by_contigs() -> None:
    blocks = [Interval("a", 0, 100), Interval("a", 100, 200), Interval("b", 0, 100)]
    regions = joined([Interval("a", 150, 160, "-"), Interval("a", 50, 120), Interval("a", 110, 120, "+")])
    assert regions == [Interval("a", 50, 120), Interval("a", 150, 160)]
    left = without(blocks, regions)
    assert [str(x) for x in left] == ["a:0-50", "a:120-150", "a:160-200", "b:0-100"]
    assert on_contigs(blocks, ("b",), "test_contigs") == blocks[2:]
    with pytest.raises(GattnError, match="test_contigs: expected contigs with labelled sites, got 'x'"):
        on_contigs(blocks, ("b", "x"), "test_contigs")


def test_a_list_of_sites_needs_no_pattern(ids: np.ndarray) -> None:
    genome = stretch(ids)
    starts = FIRST + np.array([5, 40, 41, 1_000])
    (sites,) = listed_sites(genome, {"c": starts}, 1)
    facts = surroundings(genome, SiteList(sites.place, sites.starts), 1, SPANS)
    rows = SiteRows(genome, [sites], facts, 1, 9, 4)
    read = rows.batch(rows.tiles(), np.array([False]))
    np.testing.assert_array_equal(read.bases[0, :, 4], ids[starts - FIRST])
    assert read.positions[0].tolist() == [0, 35, 36, 995]
