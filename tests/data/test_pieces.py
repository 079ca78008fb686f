"""Pieces of windows and marked bases: sequence, motif ids and targets stay together, whatever is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gattn_tg.data.genomes.stretches import Stretches, open_windows
from gattn_tg.data.marks import MarkedWindows, Marks, read_marks
from gattn_tg.data.pieces import TrackPieces
from gattn_tg.data.sampler import Sampler
from gattn_tg.data.sites.blocks import dealt, split_blocks
from gattn_tg.data.tracks import ArrayTargets
from gattn_tg.errors import ConfigError, CoordinateError, FormatError, ShapeError
from gattn_tg.metrics.correlation import by_group, pearson
from gattn_tg.metrics.precision import average_precision
from gattn_tg.motif import annotate
from gattn_tg.seq.codec import decode
from gattn_tg.seq.interval import Interval
from gattn_tg.seq.strand import reverse_complement

BIN, WIDTH, MARGIN = 8, 256, 64
BINS = (WIDTH - 2 * MARGIN) // BIN


@pytest.fixture(scope="module")
def bases() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, 1000).astype(np.uint8)


@pytest.fixture(scope="module")
def stretches(bases: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Stretches:
    path = tmp_path_factory.mktemp("fasta") / "some.fa"
    path.write_text(f">chr1:500-1500\n{decode(bases)}\n>chr2\n{decode(bases[:300])}\n")
    found = open_windows(path, regions=True)
    assert isinstance(found, Stretches)
    return found


def gc_targets(bases: np.ndarray, start: int) -> np.ndarray:
    """Two tracks whose bins count C and G: each other's on the other strand."""
    inner = bases[start + MARGIN : start + WIDTH - MARGIN].reshape(BINS, BIN)
    return np.stack([(inner == 1).sum(1), (inner == 2).sum(1)], axis=1).astype(np.float32)


def test_records_lie_where_their_names_say(bases: np.ndarray, stretches: Stretches) -> None:
    got, ids = stretches.windows([Interval("chr1", 490, 530), Interval("chr2", 290, 330)], 40)
    assert (got[0, :10] == 4).all()
    assert np.array_equal(got[0, 10:], bases[:30])
    assert np.array_equal(ids[0, 10:], annotate(bases)[:30])
    assert np.array_equal(got[1, :10], bases[290:300])
    assert (got[1, 10:] == 4).all()
    assert stretches.intervals == (Interval("chr1", 500, 1500), Interval("chr2", 0, 300))
    for chrom, start, end in (("chr1", 0, 40), ("chr3", 0, 40), ("chr2", 0, 41)):
        with pytest.raises(CoordinateError, match="40 bases on one of the sequences, but it has"):
            stretches.windows([Interval(chrom, start, end)], 40)


def test_a_header_is_the_name_of_a_contig_unless_regions_are_asked_for(bases: np.ndarray, tmp_path: Path) -> None:
    path, text = tmp_path / "x.fa", decode(bases[:10])
    path.write_text(f">chr1:5-15\n{text}\n>chr1:5-15/2\n{text}\n")
    named = open_windows(path)
    assert isinstance(named, Stretches)
    assert named.intervals == (Interval("chr1:5-15", 0, 10), Interval("chr1:5-15/2", 0, 10))
    with pytest.raises(CoordinateError, match="a sequence is named chr1:5-15: read such names as regions"):
        named.windows([Interval("chr1", 5, 15)], 10)
    placed = open_windows(path, regions=True)
    assert isinstance(placed, Stretches)
    assert placed.intervals == (Interval("chr1", 5, 15),) * 2
    for name in ("chr1:5-15:+", "chr1:6-15"):  # samtools counts the first base as 1
        path.write_text(f">{name}\n{text}\n")
        assert np.array_equal(open_windows(path, regions=True).windows([Interval("chr1", 5, 15)], 10)[0][0], bases[:10])
    path.write_text(f">chr1:5-15:-\n{text}\n")
    turned = open_windows(path, regions=True).windows([Interval("chr1", 5, 15)], 10)[0][0]
    assert np.array_equal(turned, reverse_complement(bases[:10]))
    path.write_text(f">chr1:5-25\n{text}\n")
    with pytest.raises(FormatError, match=r"expected 20 bases \(or 21, where the first counts as 1\) of the region"):
        open_windows(path, regions=True)


@pytest.mark.parametrize("augment", [False, True])
def test_targets_of_a_piece_are_those_of_its_bases(bases: np.ndarray, stretches: Stretches, augment: bool) -> None:
    starts = (0, 300, 700)
    windows = [Interval("chr1", 500 + s, 500 + s + WIDTH) for s in starts]
    targets = ArrayTargets(np.stack([gc_targets(bases, s) for s in starts]))
    pieces = TrackPieces(stretches, windows, targets, BINS, BIN, window_bp=96, crop_bp=24, rc=True, track_pairs=(1, 0))
    assert (pieces.bins, pieces.per_window, len(pieces)) == (6, 3, 9)
    sampler = Sampler(len(pieces), 9, seed=1)
    batch = pieces.batch(np.arange(9), (lambda stream: sampler.draws(0, stream)) if augment else None)
    inner = batch.bases[:, 24:-24].reshape(9, 6, BIN)
    assert np.array_equal(batch.targets, np.stack([(inner == 1).sum(2), (inner == 2).sum(2)], axis=2))
    if augment:
        again = pieces.batch(np.arange(9), lambda stream: sampler.draws(0, stream))
        assert all(np.array_equal(a, b) for a, b in zip(batch, again, strict=True))
        assert len({tuple(row[:24]) for row in batch.bases.tolist()}) == 9
    else:
        assert pieces.first_bins(np.arange(3)).tolist() == [0, 6, 10]  # the last one moved inwards


def test_pieces_that_do_not_fit(bases: np.ndarray, stretches: Stretches) -> None:
    targets = ArrayTargets(gc_targets(bases, 0)[None])
    window = [Interval("chr1", 500, 500 + WIDTH)]
    with pytest.raises(ShapeError, match="a whole number of bins of 8, from 1 to 16, got window_bp=100"):
        TrackPieces(stretches, window, targets, BINS, BIN, window_bp=100, crop_bp=24)
    with pytest.raises(ShapeError, match="windows of one width with 16 bins of targets each, got 2"):
        TrackPieces(stretches, window * 2, targets, BINS, BIN, window_bp=96, crop_bp=24)


@pytest.fixture(scope="module")
def cpgs(bases: np.ndarray) -> Marks:
    starts = np.flatnonzero((bases[:-1] == 1) & (bases[1:] == 2)) + 500
    return Marks("chr1", starts, starts + 2, (starts % 3 == 0))


def test_labels_stand_at_the_c_of_every_cpg_on_both_strands(stretches: Stretches, cpgs: Marks) -> None:
    blocks = [Interval("chr1", 500, 800), Interval("chr1", 1000, 1500)]
    windows = MarkedWindows(stretches, [cpgs], blocks, window_bp=64, rc=True)
    sampler = Sampler(len(windows), len(windows), seed=2)
    seen = 0
    for draw in (None, lambda stream: sampler.draws(0, stream)):
        batch = windows.batch(np.arange(len(windows)), draw)
        row, at, _ = np.nonzero(batch.weight)
        whole = at < 63
        assert (batch.bases[row, at] == 1).all()
        assert (batch.bases[row[whole], at[whole] + 1] == 2).all()
        assert set(np.unique(batch.labels)) <= {0.0, 1.0}
        seen = max(seen, len(row))
    places, labels = windows.sites()
    inside = [(500 <= s < 800) or s >= 1000 for s in cpgs.starts]
    assert [p.start for p in places] == cpgs.starts[inside].tolist()
    assert np.array_equal(labels, cpgs.labels[inside])
    assert seen == len(places)  # each site counts once


def test_blocks_go_to_one_part_each(cpgs: Marks) -> None:
    parts = split_blocks([cpgs], 100, (0.5, 0.2, 0.3), seed=0)
    assert [len(p) for p in parts] == [5, 2, 3]
    assert len({block for part in parts for block in part}) == 10
    assert parts == split_blocks([cpgs], 100, (0.5, 0.2, 0.3), seed=0)
    with pytest.raises(ConfigError, match="at least one with labels for each of 3 parts, got 1;"):
        split_blocks([cpgs], 5000, (0.5, 0.2, 0.3), seed=0)


@pytest.mark.parametrize(("n", "share", "folds"), [(10, 0.25, 4), (14, 0.25, 4), (33, 0.1, 10), (7, 0.5, 2)])
def test_folds_test_every_block_once(n: int, share: float, folds: int) -> None:
    blocks = [Interval("a", i, i + 1) for i in range(n)]
    parts = [dealt(blocks, (0.9 - share, 0.1, share), 3, fold) for fold in range(folds)]
    assert sorted(block for _, _, test in parts for block in test) == blocks
    assert all(sorted(block for part in three for block in part) == blocks for three in parts)


def test_marks_from_a_table(tmp_path: Path, stretches: Stretches) -> None:
    path = tmp_path / "sites.tsv"
    path.write_text("#chrom\tstart\tend\tcalled\nchr1\t20\t22\t1\nchr2\t5\t7\t0\nchr1\t10\t12\t0\n")
    first, second = read_marks(path, "called")
    assert (first.chrom, first.starts.tolist(), first.labels.tolist()) == ("chr1", [10, 20], [False, True])
    assert (second.chrom, second.ends.tolist()) == ("chr2", [7])
    with pytest.raises(FormatError, match="a header with chrom, start, end and beta, got chrom"):
        read_marks(path, "beta")
    path.write_text("chrom\tstart\tend\tcalled\nchr1\t20\t22\t2\n")
    with pytest.raises(FormatError, match="column 'called': expected 0 or 1, got '2'"):
        read_marks(path, "called")
    path.write_text("chrom\tstart\tend\tcalled\nchr1\t20\t22\tNA\nchr1\t30\t32\t1\nchr3\t1\t3\t\n")
    (known,) = read_marks(path, "called")
    assert (known.starts.tolist(), known.labels.tolist()) == ([30], [True])
    for rows, said in {
        "chr1\t20\t22\t1\nchr1\t20\t22\t0\n": "line 3: expected every site once, got chr1:20 again; merge its lines",
        "chr1\t20\t20\t1\n": "line 2: expected a site of 1 bases as on the lines before, got 0",
        "chr1\t20\t22\tNA\n": "expected 0 and 1 as called, got no cell with either",
    }.items():
        path.write_text("chrom\tstart\tend\tcalled\n" + rows)
        with pytest.raises(FormatError, match=said):
            read_marks(path, "called")
    with pytest.raises(ConfigError, match="window_bp: expected a multiple of 4 from 4 up, got 6"):
        MarkedWindows(stretches, [first], [], window_bp=6)
    longer = Marks("chr1", np.array([1]), np.array([9]), np.array([True]))
    with pytest.raises(ConfigError, match="sites of one length, got 2, 8"):
        MarkedWindows(stretches, [first, longer], [], window_bp=8)


def test_correlation_and_average_precision() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((2, 50, 3))
    b[:, 2] = 1
    r = pearson(a, b)
    assert np.allclose(r[:2], [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(2)])
    assert np.isnan(r[2])
    assert np.allclose(list(by_group(r, ("x", "y", "x")).values()), r[:2])
    positive, score = np.array([1, 1, 0, 1, 0], bool), np.array([0.9, 0.5, 0.5, 0.2, 0.1])
    assert np.isclose(average_precision(positive, score), (1 + 2 / 3 + 3 / 4) / 3)
    assert np.isnan(average_precision(~positive & positive, score))
