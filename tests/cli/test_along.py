"""`gattn predict` with models of tracks and of sites: every bin once, against windows cut by hand, in every output."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.cli.main import main
from gattn_tg.data.genomes.encoded import EncodedGenome
from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.front.genome import WINDOWS
from gattn_tg.io import BigWig
from gattn_tg.models import checkpoint
from gattn_tg.models.bases import PerBaseConfig, PerBaseModel
from gattn_tg.models.readouts.bases import SiteReadout
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.models.tracks import TrackConfig, TrackModel
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.score import profiles
from gattn_tg.score.along import GenomePredictor
from gattn_tg.score.profiles import GenomeValues
from gattn_tg.seq import Interval, decode, reverse_complement

WINDOW, CROP, BIN, N = 96, 32, 8, 150
SIZES: dict[str, Any] = {"width": 32, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0}
VOCABULARY = MotifVocabulary.default()
TRACKS = {"head": "human", "tracks": ["a+", "a-"], "assays": ["x", "x"], "pairs": [1, 0], "scale": [2.0, 3.0],
          "soft_clip": 1.0, "window_bp": WINDOW}
READOUT = TrackReadout.from_about(TRACKS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two records, the first a piece of chr1 from base 1000 on, and a checkpoint of each kind."""
    folder, rng = tmp_path_factory.mktemp("along"), np.random.default_rng(0)
    records = [("chr1:1000-1150", N), ("chr2", 40)]
    (folder / "g.fa").write_text("".join(f">{name}\n{decode(rng.integers(0, 4, n))}\n" for name, n in records))
    shape = TrackConfig(heads=(("human", 2),), stem_width=32, bin_bp=BIN, crop_bp=CROP, composition_bp=(8,), **SIZES)
    model = TrackModel(shape, seed=1)
    head = model.heads["human"]
    head.weight.assign(Tensor((0.3 * rng.standard_normal(head.weight.shape)).astype(np.float32))).realize()
    checkpoint.save(model, folder / "tracks", vocabulary=VOCABULARY, readout=READOUT)
    sites = SiteReadout(window_bp=WINDOW, site_bp=2)
    model = PerBaseModel(PerBaseConfig(**SIZES), seed=1)
    checkpoint.save(model, folder / "sites", vocabulary=VOCABULARY, readout=sites)
    return folder


def alone(model: TrackModel | PerBaseModel, window: np.ndarray, motifs: np.ndarray) -> np.ndarray:
    """What a model says of one window; below it N, to as many rows as the command asks at once, whose kernels serve."""
    rows, ids = np.full((WINDOWS, WINDOW), 4, np.uint8), np.zeros((WINDOWS, WINDOW), np.uint8)
    rows[0], ids[0] = window, motifs
    return model(Tensor(rows), Tensor(ids)).numpy()[0]


def by_hand(folder: Path, bases: np.ndarray, both: bool = False) -> np.ndarray:
    """Counts of all bins of one sequence: N on both sides, windows side by side by what they predict."""
    model = checkpoint.load(folder / "tracks").model
    inner = WINDOW - 2 * CROP
    n = -(-len(bases) // inner) * inner
    wide = np.full(n + 2 * CROP, 4, np.uint8)
    wide[CROP : CROP + len(bases)] = bases
    ids = np.zeros_like(wide)
    ids[CROP : CROP + len(bases)] = annotate(bases)
    rates = []
    for start in range(0, n, inner):
        window, motifs = wide[start : start + WINDOW], ids[start : start + WINDOW]
        rate = alone(model, window, motifs)
        if both:
            back = reverse_complement(window), np.array(VOCABULARY.complement)[motifs][::-1]
            rate = (rate + alone(model, *back)[::-1, ::-1]) / 2
        rates.append(rate)
    rate = np.concatenate(rates)[: -(-len(bases) // BIN)]
    return np.where(rate > 1, (rate + 1) ** 2 / 4, rate) * [2.0, 3.0]


def sequences(folder: Path) -> list[np.ndarray]:
    lines = (folder / "g.fa").read_text().split("\n")
    return [np.array(["ACGT".index(x) for x in line], np.uint8) for line in lines[1::2]]


@pytest.mark.parametrize("flags", [[], ["--both-strands"]])
def test_every_bin_of_every_record(home: Path, tmp_path: Path, flags: list[str]) -> None:
    out = tmp_path / "x.npz"
    assert main(["predict", str(home / "tracks"), str(home / "g.fa"), "--regions", "-o", str(out), *flags]) == 0
    found = np.load(out)
    assert found["intervals"].tolist() == ["chr1:1000-1150", "chr2:0-40"]
    assert found["tracks"].tolist() == ["a+", "a-"]
    assert (int(found["bin_bp"]), found["ends"].tolist()) == (BIN, [0, 19, 24])
    expected = np.concatenate([by_hand(home, bases, bool(flags)) for bases in sequences(home)])
    assert expected.min() < 1 < 3 < expected.max()  # below and above the soft clip
    np.testing.assert_allclose(found["values"], expected, rtol=1e-4)


def test_bigwig_files_and_some_intervals(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    call = ["predict", str(home / "tracks"), str(home / "g.fa"), "--regions"]
    assert main([*call, "-o", str(tmp_path / "bw"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["bins"], told["bin_bp"], told["tracks"]) == (24, BIN, ["a+", "a-"])
    expected = by_hand(home, sequences(home)[0])
    with BigWig(tmp_path / "bw" / "a-.bw") as track:
        assert track.sizes == {"chr1": 1150, "chr2": 40}
        shown = track.binned(Interval("chr1", 1000, 1144), BIN)
    np.testing.assert_allclose(shown, expected[:18, 1], rtol=1e-4)
    (tmp_path / "some.bed").write_text("chr1\t1064\t1096\nchr1\t1000\t1032\n")  # as windows lie, so values are equal
    some = [*call, "--bed", str(tmp_path / "some.bed"), "--tracks", "a-", "-o"]
    assert main([*some, str(tmp_path / "one.bw")]) == 0
    with BigWig(tmp_path / "one.bw") as track:
        for start in (0, 64):
            here = track.binned(Interval("chr1", 1000 + start, 1032 + start), BIN)
            np.testing.assert_allclose(here, expected[start // BIN : start // BIN + 4, 1], rtol=1e-4)


def test_a_folder_has_all_tracks_or_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    place = Interval("c", 0, 4)
    names, sizes = ["a b", "a_b", "A_B", "x"], {"c": 4}
    broken, whole = (GenomeValues((place,), (np.array([row] * 4),), tuple(names), 1, "counts", sizes)
                     for row in ([1.0, 2.0, 3.0, np.inf], [1.0] * 4))
    with pytest.raises(FormatError, match="expected a finite number, got inf"):
        broken.write(tmp_path / "new" / "bw")
    assert list((tmp_path / "new").iterdir()) == []
    kept = tmp_path / "bw"
    kept.mkdir()
    (kept / "mine.txt").write_text("precious")
    with pytest.raises(FormatError, match="expected a finite number, got inf"):
        broken.write(kept, overwrite=True)
    assert [path.name for path in kept.iterdir()] == ["mine.txt"]
    whole.write(kept, overwrite=True)
    assert sorted(path.name for path in kept.iterdir()) == ["A_B_2.bw", "a_b_0.bw", "a_b_1.bw", "mine.txt", "x.bw"]


def test_probabilities_of_sites(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.npz"
    assert main(["predict", str(home / "sites"), str(home / "g.fa"), "--regions", "-o", str(out)]) == 0
    values = np.load(out)["values"]
    assert values.shape == (190, 1)
    bases = sequences(home)[0]
    wide, ids = np.full(WINDOW, 4, np.uint8), np.zeros(WINDOW, np.uint8)
    wide[24:], ids[24:] = bases[:72], annotate(bases)[:72]
    z = alone(checkpoint.load(home / "sites").model, wide, ids)
    np.testing.assert_allclose(values[:48], 1 / (1 + np.exp(-z[24:72])), rtol=1e-4)


def test_a_contig_named_among_others_answers_as_it_does_alone(home: Path, tmp_path: Path) -> None:
    """For each base: windows end with the contig, whatever stands in front of it in the file."""
    (tmp_path / "alone.fa").write_text(f">chr2\n{decode(sequences(home)[1])}\n")
    (tmp_path / "chr2.bed").write_text("chr2\t0\t40\n")
    found = []
    for genome, more in ((home / "g.fa", ["--bed", str(tmp_path / "chr2.bed")]), (tmp_path / "alone.fa", [])):
        out = tmp_path / f"{genome.stem}.npz"
        assert main(["predict", str(home / "sites"), str(genome), "--regions", *more, "-o", str(out)]) == 0
        found.append(np.load(out))
    among, alone = found
    assert among["intervals"].tolist() == alone["intervals"].tolist() == ["chr2:0-40"]
    assert among["values"].shape == (40, 1)
    np.testing.assert_array_equal(among["values"], alone["values"])


def test_a_preprocessed_genome_gives_the_same(home: Path, tmp_path: Path) -> None:
    (tmp_path / "c.fa").write_text(f">c\n{decode(sequences(home)[0])}\n")
    assert main(["preprocess", str(tmp_path / "c.fa"), "-o", str(tmp_path / "c")]) == 0
    found = GenomePredictor(checkpoint.load(home / "tracks"), both_strands=False, batch_size=WINDOWS)(
        EncodedGenome(tmp_path / "c"), Interval("c", 0, N)
    )
    np.testing.assert_allclose(found, by_hand(home, sequences(home)[0]), rtol=1e-4)
    assert main(["preprocess", str(tmp_path / "c.fa"), "-o", str(tmp_path / "bare"), "--no-motifs"]) == 0
    with pytest.raises(ConfigError, match="the vocabulary of the model, got one with no motifs"):
        GenomePredictor(checkpoint.load(home / "tracks"))(EncodedGenome(tmp_path / "bare"), Interval("c", 0, N))


def test_without_regions_a_header_is_a_name(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.npz"
    assert main(["predict", str(home / "tracks"), str(home / "g.fa"), "-o", str(out)]) == 0
    assert np.load(out)["intervals"].tolist() == ["chr1:1000-1150:0-150", "chr2:0-40"]


def test_a_head_of_several(home: Path) -> None:
    trained = checkpoint.load(home / "tracks")
    mouse = {**TRACKS, "head": "mouse", "tracks": ["m"], "assays": ["x"], "pairs": None, "scale": [1.0]}
    several = replace(trained, readout=TrackReadout.from_about({"heads": {"human": TRACKS, "mouse": mouse}}))
    for name, found, names in ((None, "human", ("a+", "a-")), ("mouse", "mouse", ("m",))):
        predictor = GenomePredictor(several, head=name)
        assert predictor.head is not None
        assert (predictor.head.head, predictor.names) == (found, names)
    with pytest.raises(ConfigError, match="expected a head named human or mouse, got 'fly'"):
        GenomePredictor(several, head="fly")


def test_refusals(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = {key: value for key, value in TRACKS.items() if key != "window_bp"}
    checkpoint.save(checkpoint.load(home / "tracks").model, tmp_path / "old", vocabulary=VOCABULARY,
                    readout=TrackReadout.from_about(old))
    full = tmp_path / "full"
    full.mkdir()
    out = ["-o", str(tmp_path / "x.npz")]
    for where, more, text in (
        (home / "tracks", [], "a name for the values, got none; add -o FILE.npz, FILE.bw, FILE.tsv, FILE.bedgraph or"),
        (home / "tracks", ["-o", str(full)], "a new folder, got one that exists"),
        (home / "tracks", ["-o", str(tmp_path / "x.bw")], "one track for one BigWig file, got 2"),
        (home / "tracks", [*out, "--tracks", "b"], "names of tracks of the model, got 'b'"),
        (home / "tracks", [*out, "--head", "mouse"], "expected a head named human, got 'mouse'"),
        (tmp_path / "old", out, "expected window_bp of its training, got none"),
    ):
        assert main(["predict", str(where), str(home / "g.fa"), "--regions", *more]) == 2
        assert text in capsys.readouterr().err
    assert not (tmp_path / "x.npz").exists()


CASES = Path(__file__).resolve().parent.parent / "cases" / "tracks"


@pytest.mark.parametrize(
    ("bed", "message"),
    [
        ("zero.bed", "interval chr1:100-100: expected at least one base"),
        ("ov.bed", "interval chr1:2000-4000: expected for BigWig intervals that do not overlap"),
        ("st.bed", "intervals that do not overlap, got one that does with"),
        ("unk.bed", "interval chr9:0-1000: expected a contig of the sequences, got chr9; there are chr1, chr2"),
        ("past.bed", "expected for BigWig an end of at most 40010"),
    ],
)
def test_intervals_are_checked_before_anything_is_predicted(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, bed: str,
    message: str,
) -> None:
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    monkeypatch.setattr(GenomePredictor, "__call__", lambda *_: pytest.fail("it predicted"))
    (tmp_path / "past.bed").write_text("chr1\t39000\t40100\n")
    path = CASES / bed if (CASES / bed).exists() else tmp_path / bed
    call = ["predict", str(home / "tracks"), str(CASES / "g.fa"), "--tracks", "a-", "--bed", str(path), "-o"]
    for name in ("x.bw", "folder"):
        assert main([*call, str(tmp_path / name)]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert message in err
        assert not (tmp_path / name).exists()


def test_names_of_other_formats_are_refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("x.wig", "x.bed.gz", "x.CSV"):
        assert main(["predict", str(home / "tracks"), str(home / "g.fa"), "-o", str(tmp_path / name)]) == 2
        assert "FILE.bedgraph or the name of a folder" in capsys.readouterr().err


def test_a_folder_of_bigwig_files_is_whole_or_not_there(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    call = ["predict", str(home / "tracks"), str(home / "g.fa"), "-o", str(tmp_path / "bw")]
    ones = lambda _, __, place: np.ones((-(-len(place) // BIN), 2), np.float32)  # noqa: E731
    monkeypatch.setattr(GenomePredictor, "__call__", ones)
    write = profiles.write_bigwig

    def full(path: Path, *more: Any, **options: Any) -> int:
        if path.name == "a-.bw":
            raise OSError(28, "No space left on device", str(path))
        return write(path, *more, **options)

    with monkeypatch.context() as disk:
        disk.setattr(profiles, "write_bigwig", full)
        assert main(call) == 2
    assert list(tmp_path.iterdir()) == []
    assert main(call) == 0
    (tmp_path / "bw" / "mine.txt").write_text("stays")
    before = (tmp_path / "bw" / "a+.bw").read_bytes()
    with monkeypatch.context() as disk:
        disk.setattr(profiles, "write_bigwig", full)
        assert main([*call, "--overwrite"]) == 2
    assert (tmp_path / "bw" / "a+.bw").read_bytes() == before
    assert main([*call, "--overwrite"]) == 0
    assert {p.name for p in (tmp_path / "bw").iterdir()} == {"a+.bw", "a-.bw", "mine.txt"}
    assert [p.name for p in tmp_path.iterdir()] == ["bw"]


def test_every_track_has_a_file_of_its_own() -> None:
    names = ["a b", "a_b", "A_B", "c", "..", "x" * 300, "x" * 301, "../etc"]
    found = profiles.labels(names)
    assert len({name.casefold() for name in found}) == len(names)
    assert all(0 < len(name) <= 110 and name[0] != "." and "/" not in name for name in found)
