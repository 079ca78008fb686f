# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Encoded genomes and the datasets on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.data import (  # fmt: skip
    ArrayTargets,
    BigWigTargets,
    EncodedGenome,
    EncodedPart,
    TrackPieces,
    gc_matched,
    write_encoded,
)
from gattn_tg.data.starts import Starts, is_known
from gattn_tg.errors import ConfigError, CoordinateError, FormatError, GattnError
from gattn_tg.io import BigWig, whole, write_bigwig
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.seq import Interval, encode, reverse_complement
from gattn_tg.seq.composition import gc_fraction

VOCABULARY = MotifVocabulary.default()
COMPLEMENT = np.array(VOCABULARY.complement, dtype=np.uint8)


def make(folder: Path, vocabulary: MotifVocabulary | None = VOCABULARY) -> dict[str, np.ndarray]:
    """An encoded genome of two contigs with a stretch of N, written in parts; returns the contigs."""
    rng = np.random.default_rng(4)
    contigs = {name: rng.integers(0, 4, size, dtype=np.uint8) for name, size in (("chr2", 5000), ("chr1", 3001))}
    contigs["chr2"][1000:2000] = 4
    contigs["chr1"][:1500] = rng.choice([1, 2], 1500)
    parts = [
        EncodedPart(name, start, ids[start : start + 700], annotate(ids, VOCABULARY)[start : start + 700])
        for name, ids in contigs.items()
        for start in range(0, len(ids), 700)
    ]
    assert write_encoded(folder, parts, vocabulary) == {"chr2": 5000, "chr1": 3001}
    return contigs


@pytest.fixture(scope="module")
def contigs(tmp_path_factory: pytest.TempPathFactory) -> tuple[EncodedGenome, dict[str, np.ndarray]]:
    folder = tmp_path_factory.mktemp("g") / "genome"
    made = make(folder)
    return EncodedGenome(folder, rename="auto"), made


Made = tuple[EncodedGenome, dict[str, np.ndarray]]


def test_windows_are_those_of_the_contigs(contigs: Made) -> None:
    genome, made = contigs
    assert genome.sizes == {"chr2": 5000, "chr1": 3001}
    assert genome.vocabulary == VOCABULARY
    places = [Interval("chr1", 10, 60), Interval("2", 4980, 5030), Interval("chr2", -20, 30), Interval("chr2", 9000, 9050)]
    bases, motif_ids = genome.windows(places, 50)
    assert (bases[0] == made["chr1"][10:60]).all()
    assert (motif_ids[0] == annotate(made["chr1"])[10:60]).all()
    assert (bases[1] == np.append(made["chr2"][4980:], [4] * 30)).all()
    assert (bases[2] == np.append([4] * 20, made["chr2"][:30])).all()
    assert (bases[3] == 4).all()
    assert not motif_ids[3].any()
    assert (genome.ids(Interval("chr1", 10, 60, "-")) == reverse_complement(made["chr1"][10:60])).all()
    assert encode(genome.padded(Interval("chr1", 10, 60))).tolist() == made["chr1"][10:60].tolist()
    assert isinstance(genome.bases.base, np.memmap)


def test_genomes_without_motifs(tmp_path: Path) -> None:
    make(tmp_path / "g", None)
    genome = EncodedGenome(tmp_path / "g")
    assert genome.vocabulary is None
    assert sorted(path.name for path in (tmp_path / "g").iterdir()) == ["bases.u8", "genome.json"]
    assert not genome.windows([Interval("chr1", 0, 90)], 90)[1].any()


def test_what_encoded_genomes_refuse(tmp_path: Path, contigs: Made) -> None:
    folder = tmp_path / "g"
    make(folder)
    with pytest.raises(CoordinateError) as caught:
        contigs[0].windows([Interval("chr1", 0, 9)], 8)
    assert str(caught.value) == "interval chr1:0-9: expected 8 bases, but it has 9; resize it"
    with pytest.raises(FormatError) as format_:
        EncodedGenome(tmp_path / "absent")
    assert str(format_.value) == (
        f"{tmp_path}/absent: expected a folder that gattn preprocess made, got: no such file or directory; check the path"
    )
    (folder / "motifs.u8").write_bytes(b"abc")
    with pytest.raises(FormatError) as format_:
        EncodedGenome(folder)
    assert str(format_.value) == f"{folder}/motifs.u8: expected 8001 bytes, got 3; preprocess again"
    for text, message in (("{}", "names and sizes, got KeyError('format')"), ('{"format":"x","contigs":[],"vocabulary":null}', "format 'gattn_tg encoded genome 1'")):
        (folder / "genome.json").write_text(text)
        with pytest.raises(FormatError, match="preprocess again") as format_:
            EncodedGenome(folder)
        assert message in str(format_.value)


@pytest.mark.parametrize(("file", "value", "most"), [("bases.u8", 5, 4), ("motifs.u8", 16, 15), ("motifs.u8", 255, 15)])
def test_ids_that_mean_nothing_are_refused_where_they_are_read(tmp_path: Path, file: str, value: int, most: int) -> None:
    make(tmp_path / "g")
    content = bytearray((tmp_path / "g" / file).read_bytes())
    content[40] = value
    (tmp_path / "g" / file).write_bytes(content)
    genome = EncodedGenome(tmp_path / "g")
    genome.windows([Interval("chr2", 41, 91)], 50)
    for start in (0, 40, -5):
        with pytest.raises(FormatError, match=rf"{file}: expected ids from 0 to {most}, got {value}; preprocess again"):
            genome.windows([Interval("chr2", start, start + 50)], 50)
    if file == "bases.u8":
        with pytest.raises(FormatError, match="preprocess again"):
            list(genome.contigs())


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("what", ["folder", "file", "genome with notes"])
def test_what_appears_while_a_genome_is_written_stays(tmp_path: Path, what: str, overwrite: bool) -> None:
    """Checked before and at the end: hours lie between."""
    folder = tmp_path / "g"

    def parts() -> Iterator[EncodedPart]:
        yield EncodedPart("c", 0, np.zeros(5, dtype=np.uint8), None)
        if what == "file":
            folder.write_text("of years")
        else:
            folder.mkdir()
            (folder / "notes").write_text("of years")
            if what != "folder":
                (folder / "genome.json").write_text("{}")

    with pytest.raises(GattnError, match=r"got one that (exists|holds something else)"):
        write_encoded(folder, parts(), None, overwrite=overwrite)
    assert (folder if what == "file" else folder / "notes").read_text() == "of years"
    assert [p.name for p in tmp_path.iterdir()] == ["g"]


def test_what_appears_at_the_last_moment_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last look, when the folder is about to get its name."""
    folder, sync = tmp_path / "g", whole.sync

    def appear(path: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "notes").write_text("of years")
        sync(path)

    monkeypatch.setattr(whole, "sync", appear)
    with pytest.raises(GattnError, match="a folder that can be written, got: directory not empty"):
        write_encoded(folder, [EncodedPart("c", 0, np.zeros(5, dtype=np.uint8), None)], None)
    assert [p.name for p in folder.iterdir()] == ["notes"]
    assert [p.name for p in tmp_path.iterdir()] == ["g"]


@pytest.mark.parametrize("way", ["exchanged", "renamed"])
def test_a_genome_that_is_replaced_is_read_whole(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bases and the motif ids are those of the header, whichever of the two genomes a reader sees."""
    if way == "renamed":
        monkeypatch.setattr(whole, "_exchanged", lambda one, other: False)
    stop, faults = threading.Event(), list[str]()

    def write(k: int) -> None:
        values = np.full(9, k, dtype=np.uint8)
        write_encoded(tmp_path / "g", [EncodedPart(f"c{k}", 0, values, values)], VOCABULARY, overwrite=True)

    def read() -> None:
        while not stop.is_set():
            try:
                genome = EncodedGenome(tmp_path / "g")
                if {f"c{int(k)}" for k in (*genome.bases, *genome.motif_ids)} != set(genome.sizes):
                    faults.append("of two minds")
            except Exception as error:
                faults.append(repr(error))

    write(0)
    reader = threading.Thread(target=read)
    reader.start()
    for k in range(40):
        write(k % 4)
    stop.set()
    reader.join()
    assert not faults, faults[:3]


@pytest.mark.parametrize("text", [
    "[]", "7", "null", '{"format": 1}', '{"format": "gattn_tg encoded genome 1", "contigs": {"ab": 5}, "vocabulary": null}',
    '{"format": "gattn_tg encoded genome 1", "contigs": [["a", 5], ["a", 5]], "vocabulary": null}',
    '{"format": "gattn_tg encoded genome 1", "contigs": [["a", 5]], "vocabulary": 7}',
    '{"format": "gattn_tg encoded genome 1", "contigs": [["a", true]], "vocabulary": null}', "[" * 99_999,
    '{"format": "gattn_tg encoded genome 1", "contigs": [["a", ' + "9" * 9999 + ']], "vocabulary": null}',
], ids=range(10))  # fmt: skip
def test_headers_that_no_run_wrote_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "genome.json").write_text(text)
    (tmp_path / "bases.u8").write_bytes(bytes(5))
    with pytest.raises(FormatError, match=r"genome\.json: "):
        EncodedGenome(tmp_path)


def test_writing_replaces_only_genomes_and_only_when_told(tmp_path: Path) -> None:
    make(tmp_path / "g")
    part = EncodedPart("c", 0, np.zeros(5, dtype=np.uint8), None)
    with pytest.raises(GattnError) as caught:
        write_encoded(tmp_path / "g", [part], None)
    assert str(caught.value) == f"{tmp_path}/g: expected a new folder, got one that exists; choose another name or overwrite it"
    write_encoded(tmp_path / "g", [part], None, overwrite=True)
    assert EncodedGenome(tmp_path / "g").sizes == {"c": 5}
    (tmp_path / "other").mkdir()
    with pytest.raises(GattnError) as caught:
        write_encoded(tmp_path / "other", [part], None, overwrite=True)
    assert str(caught.value) == (
        f"{tmp_path}/other: expected a folder with genome.json to be replaced, got one that holds something else; choose another name"
    )

    def broken() -> object:
        yield part
        raise FormatError("x")

    with pytest.raises(FormatError):
        write_encoded(tmp_path / "new", broken(), None)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g", "other"]


def test_random_windows_cover_every_place_and_hold_few_n(contigs: Made) -> None:
    """Of two stretches, the second shorter than a window and so without a place."""
    _, made = contigs
    ids, width = made["chr2"], 50
    stretches, firsts = Starts([len(ids), width - 1, 60], width).draw(np.arange(4000, dtype=np.uint64), 0)
    assert set(stretches.tolist()) == {0, 2}
    here = firsts[stretches == 0]
    assert (here.min(), here.max()) >= (0, 4900)
    assert here.max() <= len(ids) - width
    assert set(firsts[stretches == 2].tolist()) <= set(range(11))
    bases = np.stack([ids[first : first + width] for first in here])
    assert is_known(bases, 0.1).tolist() == [(row == 4).mean() <= 0.1 for row in bases]
    other = Starts([len(ids)], width).draw(np.arange(4000, dtype=np.uint64), 1)[1]
    assert (other[: len(here)] != here).mean() > 0.9
    assert Starts([], width).n == Starts([3], width).n == 0


@pytest.fixture
def track(tmp_path: Path, contigs: Made) -> BigWig:
    """A track whose value at a base is its position, so that everything can be told from a target."""
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    values = [("chr1", at, at + 1, float(at)) for at in range(3001)]
    write_bigwig(tmp_path / "t.bw", contigs[0].sizes, values)
    return BigWig(tmp_path / "t.bw")


def test_targets_move_and_turn_with_their_bases(contigs: Made, track: BigWig) -> None:
    genome, made = contigs
    places = [Interval("chr1", start, start + 120) for start in (100, 500, 2500)]
    targets = BigWigTargets([track], bin_bp=1, crop_bp=20)
    dataset = TrackPieces(genome, places, targets, 80, 1, 120, 20, max_jitter=9, rc=True)
    rows = np.array([0, 2, 1, 0, 2, 1, 1, 1])
    batch = dataset.batch(rows, lambda stream: np.arange(8, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    assert batch.targets.shape == (8, 80, 1)
    moved = set()
    for row, bases, motif_ids, target in zip(rows, batch.bases, batch.motif_ids, batch.targets[:, :, 0], strict=True):
        back = target[0] > target[-1]
        start = int(target.min()) - 20
        moved.add(start - places[row].start)
        expected = made["chr1"][start : start + 120]
        ids = annotate(made["chr1"])[start : start + 120]
        assert (bases == (reverse_complement(expected) if back else expected)).all()
        assert (motif_ids == (COMPLEMENT[ids[::-1]] if back else ids)).all()
        assert (np.diff(target) == (-1 if back else 1)).all()
    assert len(moved) > 3
    assert max(map(abs, moved)) <= 9
    means = TrackPieces(genome, places, BigWigTargets([track], bin_bp=40), 3, 40, 120, 0).batch(np.array([1]))
    assert means.targets[0, :, 0].tolist() == [519.5, 559.5, 599.5]


def test_array_targets(contigs: Made, tmp_path: Path) -> None:
    genome, _ = contigs
    values = np.arange(3 * 4 * 2, dtype=np.float16).reshape(3, 4, 2)
    np.savez(tmp_path / "t.npz", targets=values)
    places = [Interval("chr1", start, start + 64) for start in (0, 64, 128)]
    read = ArrayTargets.from_npz(tmp_path / "t.npz")
    dataset = TrackPieces(genome, places, read, 4, 16, 64, 0, rc=True, track_pairs=(1, 0))
    rows = np.array([2, 0])
    assert (dataset.batch(rows).targets == values[rows]).all()
    flipped = dataset.batch(rows, lambda stream: np.ones(2, dtype=np.uint64))
    assert (flipped.targets == values[rows][:, ::-1, ::-1]).all()
    assert flipped.targets.dtype == np.float32
    with pytest.raises(FormatError, match=r"t.npz: expected an npz file with the array 'x', got: "):
        ArrayTargets.from_npz(tmp_path / "t.npz", "x")


def test_negatives_have_the_gc_of_the_positives(contigs: Made) -> None:
    genome, _ = contigs
    positives = [Interval("chr1", start, start + 40) for start in (1510, 1600, 1700, 2950)]
    avoid = [Interval("chr1", 2000, 2200)]
    found = gc_matched(genome, positives, seed=3, per_positive=2, avoid=avoid)
    assert found == gc_matched(genome, positives, seed=3, per_positive=2, avoid=avoid)
    assert len(found) == 8
    gc = gc_fraction(genome.windows(found, 40)[0]).reshape(2, 4)
    assert np.abs(gc - gc_fraction(genome.windows(positives, 40)[0])).max() <= 0.02 + 1e-9
    taken = [*positives, *avoid, *found]
    assert not any(a.overlap(b) for k, a in enumerate(taken) for b in taken[:k])
    assert not (genome.windows(found, 40)[0] == 4).any(axis=1).sum() > 4


REFUSED: list[tuple[Callable[[EncodedGenome], object], str]] = [
    (lambda g: gc_matched(g, [], 0), "gc_matched: expected positives of one width, got []; resize them"),
    (lambda g: gc_matched(g, [Interval("chr1", 0, 9), Interval("chr1", 0, 8)], 0), "gc_matched: expected positives of one width, got [8, 9]; resize them"),
    (lambda g: gc_matched(g, [Interval("chr1", 0, 600)] * 5, 0), "gc_matched: expected 5 windows of 600 bases with 100% GC beside the positives, got 1; take fewer per positive, or more contigs"),
]


@pytest.mark.parametrize(("call", "text"), REFUSED)
def test_negatives_that_cannot_be(contigs: Made, call: Callable[[EncodedGenome], object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        call(contigs[0])
    assert str(caught.value) == text
