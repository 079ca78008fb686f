"""Classes along a genome: every bin has the answer to the window around its middle, in every output."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError
from gattn_tg.front.classes import TrainedClassifier
from gattn_tg.io import BigWig
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.score import scan
from gattn_tg.score.scan import Scanner, collected
from gattn_tg.seq import Interval, decode

WIDTH, STRIDE = 24, 5
SIZES = {"chr1": 203, "chr2": 30}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome with a run of N and a record shorter than two windows, and a checkpoint."""
    folder, rng = tmp_path_factory.mktemp("scan"), np.random.default_rng(0)
    config = ClassifierConfig(n_classes=2, width=8, n_layers=1, n_heads=2, max_length=WIDTH, stem_kernel=0, dropout=0.0)
    model = SequenceClassifier(config, seed=1)
    model.head.weight = Tensor(rng.standard_normal((2, 8)).astype(np.float32))
    checkpoint.save(model, folder / "model", vocabulary=MotifVocabulary.default(),
                    readout=ClassReadout(labels=("no", "yes")))
    records = {name: rng.integers(0, 4, n) for name, n in SIZES.items()}
    records["chr1"][90:120] = 4
    (folder / "g.fa").write_text("".join(f">{name}\n{decode(ids)}\n" for name, ids in records.items()))
    return folder


def windows(folder: Path, chrom: str, start: int = 0, end: int | None = None) -> list[tuple[int, str]]:
    """(start of the bin, letters of its window), cut by hand; those with more than a tenth of N are left out."""
    lines = (folder / "g.fa").read_text().split("\n")
    letters = lines[lines.index(f">{chrom}") + 1]
    wide, found = "N" * 100 + letters + "N" * 100, []
    for first in range(start, len(letters) if end is None else end, STRIDE):
        at = 100 + first + STRIDE // 2 - WIDTH // 2
        if wide[at : at + WIDTH].count("N") <= WIDTH / 10:
            found.append((first, wide[at : at + WIDTH]))
    return found


@pytest.mark.parametrize("flags", [[], ["--both-strands"]])
def test_a_scan_gives_what_predict_says_of_the_same_windows(home: Path, tmp_path: Path, flags: list[str]) -> None:
    cut = [(chrom, start, letters) for chrom in SIZES for start, letters in windows(home, chrom)]
    (tmp_path / "w.fa").write_text("".join(f">{c}:{s}\n{letters}\n" for c, s, letters in cut))
    assert main(["predict", str(home / "model"), str(tmp_path / "w.fa"), "-o", str(tmp_path / "w.tsv"), *flags]) == 0
    plain = [line.split("\t") for line in (tmp_path / "w.tsv").read_text().splitlines()[1:]]
    call = ["predict", str(home / "model"), str(home / "g.fa"), "--stride", str(STRIDE), *flags]
    assert main([*call, "-o", str(tmp_path / "s.tsv")]) == 0
    header, *lines = [line.split("\t") for line in (tmp_path / "s.tsv").read_text().splitlines()]
    assert header == ["chrom", "start", "end", "no", "yes"]
    assert [(c, int(s), int(e)) for c, s, e, *_ in lines] == [(c, s, min(s + STRIDE, SIZES[c])) for c, s, _ in cut]
    assert 0 < len(cut) < sum(-(-n // STRIDE) for n in SIZES.values())  # ends and the run of N are left out
    np.testing.assert_allclose([[float(x) for x in row[3:]] for row in lines],
                               [[float(x) for x in row[3:]] for row in plain], atol=1.1e-6)


def test_bigwig_bedgraph_and_arrays_hold_the_same_numbers(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    model = gattn_tg.load(home / "model")
    assert isinstance(model, TrainedClassifier)
    truth = model.along(home / "g.fa", stride=STRIDE)
    assert (truth.tracks, truth.bin_bp, truth.sizes) == (("no", "yes"), STRIDE, SIZES)
    call = ["predict", str(home / "model"), str(home / "g.fa"), "--stride", str(STRIDE), "-o"]
    capsys.readouterr()
    assert main([*call, str(tmp_path / "s.bw"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tracks"] == ["yes"]  # of two classes one is enough
    assert main([*call, str(tmp_path / "s.bedgraph"), "--tracks", "no"]) == 0
    assert main([*call, str(tmp_path / "s.npz")]) == 0
    assert main([*call, str(tmp_path / "folder")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "s.npz")["values"], np.concatenate(truth.values))
    rows = list(truth.rows())
    with BigWig(tmp_path / "s.bw") as one, BigWig(tmp_path / "folder" / "yes.bw") as other:
        assert one.sizes == SIZES
        for chrom, size in SIZES.items():
            bases = np.concatenate([np.full(0, 0.0), *(  # bins without a value are not in the file
                np.full(e - s, yes) for c, s, e, _, yes in rows if c == chrom)])
            found = one.values(Interval(chrom, 0, size), missing=np.nan)
            np.testing.assert_allclose(found[~np.isnan(found)], bases, rtol=1e-6)
            np.testing.assert_array_equal(found, other.values(Interval(chrom, 0, size), missing=np.nan))
    graph = [line.split("\t") for line in (tmp_path / "s.bedgraph").read_text().splitlines()]
    assert graph == [[c, str(s), str(e), f"{no:.6g}"] for c, s, e, no, _ in rows]


def test_regions_and_folders_are_scanned_as_the_file_is(home: Path, tmp_path: Path) -> None:
    model = gattn_tg.load(home / "model")
    whole = model.along(home / "g.fa", stride=STRIDE)
    assert main(["preprocess", str(home / "g.fa"), "-o", str(tmp_path / "g")]) == 0
    folder = model.along(tmp_path / "g", stride=STRIDE)
    for one, other in zip(whole.values, folder.values, strict=True):
        np.testing.assert_array_equal(one, other)
    (tmp_path / "some.bed").write_text("chr2\t5\t20\nchr1\t40\t75\n")
    some = model.along(home / "g.fa", tmp_path / "some.bed", stride=STRIDE)
    assert list(map(str, some.intervals)) == ["chr1:40-75", "chr2:5-20"]
    np.testing.assert_array_equal(some.values[0], whole.values[0][8:15])
    np.testing.assert_array_equal(some.values[1], whole.values[1][1:4])


@pytest.mark.parametrize("piece", [7, 64, 1 << 20])
@pytest.mark.parametrize(("width", "stride"), [(24, 5), (5, 24), (1, 1), (7, 7), (10, 33), (64, 1), (3, 200)])
def test_windows_are_cut_in_the_same_places_whatever_the_pieces(
    home: Path, monkeypatch: pytest.MonkeyPatch, width: int, stride: int, piece: int
) -> None:
    """Against a plain loop over bins, with an answer that tells every base of a window and its place in it."""
    weights = np.arange(1, width + 1)
    scanner = Scanner(lambda bases, _, __: (bases * weights).sum(1, keepdims=True).astype(np.float32),
                      MotifVocabulary.default(), ["x"], width=width, stride=stride, max_unknown=1, batch_size=2)
    monkeypatch.setattr(scan, "stream_fasta", lambda path: gattn_tg.io.stream_fasta(path, piece))
    sizes: dict[str, int] = {}
    found = collected(scanner.file(home / "g.fa", sizes), scanner, sizes)
    assert sizes == SIZES
    lines = (home / "g.fa").read_text().split("\n")
    for interval, values, letters in zip(found.intervals, found.values, lines[1::2], strict=True):
        wide = np.array([4] * 300 + ["ACGTN".index(x) for x in letters] + [4] * 300)
        expected = []
        for first in range(0, len(interval), stride):
            at = 300 + first + stride // 2 - width // 2
            expected.append((wide[at : at + width] * weights).sum())
        np.testing.assert_array_equal(values[:, 0], expected)


def test_a_large_scan_waits_in_a_file(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = gattn_tg.load(home / "model")
    truth = model.along(home / "g.fa", stride=STRIDE)
    monkeypatch.setattr(scan, "IN_MEMORY_BYTES", 16)
    found = model.along(home / "g.fa", stride=STRIDE)
    for one, other in zip(truth.values, found.values, strict=True):
        np.testing.assert_array_equal(one, other)
    found.write(tmp_path / "s.tsv")
    assert (tmp_path / "s.tsv").stat().st_size > 0


def test_sites_are_predicted_as_their_windows_are(home: Path, tmp_path: Path) -> None:
    lines = (home / "g.fa").read_text().split("\n")
    (tmp_path / "s.bed").write_text("chr1\t40\t50\nchr2\t2\t4\nchr1\t150\t190\n")
    windows = [("chr1:33-57", lines[1][33:57]), ("chr2:-9-15", "N" * 9 + lines[3][:15]),
               ("chr1:158-182", lines[1][158:182])]  # fmt: skip
    (tmp_path / "w.fa").write_text("".join(f">{name}\n{letters}\n" for name, letters in windows))
    model = str(home / "model")
    assert main(["predict", model, str(tmp_path / "w.fa"), "-o", str(tmp_path / "w.tsv")]) == 0
    call = ["predict", model, str(home / "g.fa"), "--bed", str(tmp_path / "s.bed")]
    assert main([*call, "-o", str(tmp_path / "s.tsv")]) == 0
    assert (tmp_path / "s.tsv").read_text() == (tmp_path / "w.tsv").read_text()
    assert main([*call, "--width", "25", "-o", str(tmp_path / "x.tsv")]) == 2  # longer than the model reads


def test_options_that_do_not_fit_are_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["predict", str(home / "model"), str(home / "g.fa")]
    (tmp_path / "far.bed").write_text("chr9\t0\t10\n")
    for more, text in (
        (["--stride", "5"], "expected a name for the values, got none"),
        (["--stride", "5", "-o", "s.bw", "--tracks", "maybe"], "expected names of tracks of the model, got 'maybe'"),
        (["--stride", "5", "-o", "s.bw", "--width", "25"], "expected for width at most 24 bases"),
        (["--stride", "5", "-o", "s.bw", "--bed", str(tmp_path / "far.bed")], "expected a contig of the sequences"),
        (["--stride", "0", "-o", "s.bw"], "expected a whole number of at least 1"),
        (["--max-unknown", "0", "-o", "s.tsv"], "--max-unknown: expected --stride with it"),
        (["--stride", "5", "-o", "s.csv"], "expected FILE.npz, FILE.bw, FILE.tsv, FILE.bedgraph"),
        (["--stride", "5", "-o", "s.bw", "--head", "x"], "--head: expected a model that can"),
    ):
        paths = [str(tmp_path / word) if word.startswith("s.") else word for word in more]
        assert main([*call, *paths]) == 2
        assert text in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["far.bed"]
    with pytest.raises(ConfigError, match="expected for stride a whole number of at least 1, got 0"):
        gattn_tg.load(home / "model").along(home / "g.fa", Interval("chr1", 0, 9), stride=0)
