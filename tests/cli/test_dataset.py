"""gattn dataset: peaks and a genome become tables that `gattn train` learns from."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.cli.main import main
from gattn_tg.data.peak_choices import chosen_contigs
from gattn_tg.data.peak_folder import shared
from gattn_tg.data.peaks import Example
from gattn_tg.errors import ConfigError
from gattn_tg.io import Genome
from gattn_tg.seq import Interval, encode, reverse_complement
from gattn_tg.seq.composition import gc_fraction
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks.classify import ClassData
from gattn_tg.training.tasks.labelled import load

MOTIF = "CCACCAGGGGGCGC"
WIDTH, SPACING = 40, 100


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three contigs with the motif in every hundred bases, a stretch of N, and its summits as narrowPeak and BED."""
    home = tmp_path_factory.mktemp("peaks")
    rng = np.random.default_rng(0)
    contigs, peaks = {}, []
    for name, size, end in (("chr1", 40_000, 6_000), ("chr2", 15_000, 2_000), ("chr3", 15_000, 2_000)):
        letters = rng.choice(list("ACGT"), size, p=[0.18, 0.32, 0.32, 0.18])
        for start in range(200, end, SPACING):
            letters[start : start + len(MOTIF)] = list(MOTIF)
            peaks.append(f"{name}\t{start - 10}\t{start + 30}\tp{start}\t1\t.\t1\t1\t1\t17")  # its summit is start + 7
        contigs[name] = "".join(letters)
    contigs["chr1"] = contigs["chr1"][:11_000] + "n" * 200 + contigs["chr1"][11_200:]
    (home / "g.fa.gz").write_bytes(gzip.compress("".join(f">{n}\n{s}\n" for n, s in contigs.items()).encode()))
    (home / "p.narrowPeak").write_text("\n".join(peaks) + "\n")
    return home


def run(home: Path, *more: object, peaks: str = "p.narrowPeak") -> int:
    place = [home / peaks, home / "g.fa.gz", "--width", WIDTH]
    return main(["dataset", *map(str, [*place, *more])])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_windows_stand_on_summits_and_negatives_beside_peaks_in_their_part(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    assert run(home, "--valid", "chr2", "--test", "chr3", "--ratio", 2, "-o", out) == 0
    genome = Genome(home / "g.fa.gz")
    seen: Counter[str] = Counter()
    for part, chrom, n in (("train", "chr1", 58), ("valid", "chr2", 18), ("test", "chr3", 18)):
        rows = table(out / f"{part}.csv")
        positives = [row for row in rows if row["label"] == "1"]
        negatives = [row for row in rows if row["label"] == "0"]
        assert (len(positives), len(negatives)) == (n, 2 * n)
        for row in rows:
            place = Interval.parse(row["name"])
            assert place.chrom == chrom
            assert genome.fetch(place).decode().upper() == row["sequence"]
            seen[min(row["sequence"], reverse_complement(row["sequence"]))] += 1
        assert all(row["sequence"][13:27] == MOTIF for row in positives)
        gc = [gc_fraction(encode("".join(row["sequence"] for row in group))) for group in (positives, negatives)]
        assert abs(gc[0] - gc[1]) < 0.02
        places = sorted(Interval.parse(row["name"]) for row in rows)
        assert not any(one.overlap(two) for one, two in pairwise(places))
    assert set(seen.values()) == {1}
    told = json.loads((out / "summary.json").read_text())
    assert {label: row["n"] for label, row in told["parts"]["valid"].items()} == {"positive": 18, "negative": 36}
    assert abs(told["parts"]["valid"]["positive"]["gc"] - told["parts"]["valid"]["negative"]["gc"]) < 0.02
    assert told["in_several_parts"] == 0


def test_a_model_trained_on_the_folder_finds_the_peaks(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a file of peaks to a model whose test is on a contig that it never saw."""
    out = tmp_path / "data"
    assert run(home, "--valid", "chr2", "--test", "chr3", "--negatives", "shuffle", "-o", out) == 0
    assert f"gattn train {out / 'train.toml'}" in capsys.readouterr().out
    assert main(["train", str(out / "train.toml"), "-o", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run" / "best"), str(out / "test.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["auc"] > 0.8


def test_what_cannot_be_used_is_left_out_and_counted(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["chr1\t300\t340", "chr1\t320\t360", "chr1\t0\t10", "chr1\t11000\t11040", "chr1\t6500\t6540",
             "chr1\t7000\t7040", "chr2\t500\t540"]  # fmt: skip
    (home / "odd.bed").write_text("\n".join(lines) + "\n")
    (home / "black.bed").write_text("chr1\t6539\t6800\n")
    (home / "negatives.bed").write_text("chr1\t9000\t9100\nchr1\t7020\t7060\nchr3\t3000\t3040\n")
    (home / "folds.bed").write_text("chr1\t0\t12000\tf0\nchr2\t0\t520\tf1\nchr2\t520\t4000\tf0\nchr3\t0\t4000\tf1\n")
    out = tmp_path / "data"
    more = ["--exclude", home / "black.bed", "--negatives", home / "negatives.bed", "--folds", home / "folds.bed"]
    assert run(home, *more, "--test", "f1", "-o", out, "--json", peaks="odd.bed") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["left_out"] == {
        "positive": {
            "overlap a peak or a window before": 1, "reach over the end of their contig": 1, "hold too many N": 1,
            "touch an excluded interval": 1, "lie in no part or in two": 1,
        },
        "negative": {"overlap a peak or a window before": 1},
    }  # fmt: skip
    assert [row["name"] for row in table(out / "train.csv")] == ["chr1:300-340", "chr1:7000-7040", "chr1:9030-9070"]
    assert [row["name"] for row in table(out / "test.csv")] == ["chr3:3000-3040"]
    assert "valid_fraction = 0.1" in (out / "train.toml").read_text()


def test_a_sequence_comes_once_in_whatever_direction(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    unit, rest = ("".join(rng.choice(list("ACGT"), n)) for n in (40, 400))
    (tmp_path / "g.fa.gz").write_bytes(
        gzip.compress(f">a\n{unit}{rest}\n>b\n{reverse_complement(unit)}{rest[::-1]}\n".encode())
    )
    (tmp_path / "p.bed").write_text("a\t0\t40\nb\t0\t40\na\t100\t140\n")
    assert run(tmp_path, "--test", "b", "--negatives", "shuffle", "-o", tmp_path / "d", peaks="p.bed") == 0
    assert not (tmp_path / "d" / "test.csv").exists()
    told = json.loads((tmp_path / "d" / "summary.json").read_text())
    assert told["left_out"]["positive"] == {"repeat a sequence, as it stands or reversed": 1}
    examples = {part: [Example(sequence, 1, "x")] for part, sequence in (("a", unit), ("b", reverse_complement(unit)))}
    assert shared(examples) == 1


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--valid", "chr9"], "gattn: valid: expected a contig of the genome"),
        (["--negatives", "p.narrowPeak", "--ratio", 2], "gattn: dataset: expected --ratio with negatives that are d"),
        (["--max-unknown", 2], "a number from 0 to 1"),
        (["--exclude", "whole.bed"], "window that can be used, got none (94 touch an excluded"),
        (["--ratio", 900], "gc_matched: expected room for 52,200 windows of 40 bases"),
        (["--valid", "chr2", "--test", "chr2"], "test: expected each contig in one part, got chr2 in valid"),
    ],
    ids=["contig", "ratio of a file", "share", "all excluded", "too many", "contig twice"],
)
def test_mistakes_are_one_line_and_write_nothing(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[object], text: str
) -> None:
    (home / "whole.bed").write_text("chr1\t0\t40000\nchr2\t0\t15000\nchr3\t0\t15000\n")
    more = [home / x if isinstance(x, str) and (home / x).exists() else x for x in more]
    assert run(home, *more, "-o", tmp_path / "d") == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert text in error
    assert list(tmp_path.iterdir()) == []


def test_only_an_earlier_data_set_is_replaced_and_only_when_told(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "d"
    assert run(home, "--negatives", "shuffle", "-o", out) == 0
    before = (out / "train.csv").read_bytes()
    assert run(home, "-o", out) == 2
    assert "expected a new folder, got an earlier data set; overwrite it" in capsys.readouterr().err
    assert (out / "train.csv").read_bytes() == before
    assert run(home, "-o", out, "--overwrite", "--negatives", "shuffle", "--seed", 1) == 0
    assert (out / "train.csv").read_bytes() != before
    (out / "notes").write_text("of years")
    assert run(home, "-o", out, "--overwrite") == 2
    assert "got one with 'notes'" in capsys.readouterr().err
    assert (out / "notes").read_text() == "of years"


def test_without_names_contigs_with_a_tenth_of_the_peaks_are_held_out(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, "-o", tmp_path / "d") == 0
    told = capsys.readouterr().out
    assert "test: chr2 (chosen, 19% of the peaks)" in told
    assert "valid: chr3 (chosen, 19% of the peaks)" in told
    names = {part: {Interval.parse(row["name"]).chrom for row in table(tmp_path / "d" / f"{part}.csv")}
             for part in ("train", "valid", "test")}  # fmt: skip
    assert names == {"train": {"chr1"}, "valid": {"chr3"}, "test": {"chr2"}}
    shown = (tmp_path / "d" / "dataset.html").read_text()
    assert "GC content in train" in shown
    assert "http" not in shown.replace("http://www.w3.org/2000/svg", "")  # nothing is loaded from anywhere


@pytest.mark.parametrize(
    ("counts", "parts"),
    [
        ({"a": 60, "b": 20, "c": 11, "d": 5, "e": 4}, {"test": ["c"], "valid": ["d", "e"]}),
        ({"a": 50, "b": 50}, {"test": ["a"]}),
        ({"a": 9}, {}),
        ({"a": 1, "b": 1, "c": 1}, {"test": ["a"], "valid": ["b"]}),
        ({f"c{i:02}": 10 for i in range(20)}, {"test": ["c00", "c01"], "valid": ["c02", "c03"]}),
    ],
)
def test_contigs_are_chosen_by_their_peaks(counts: dict[str, int], parts: dict[str, list[str]]) -> None:
    assert chosen_contigs(counts) == parts


def test_a_configuration_reads_the_same_examples_as_the_folder_has(home: Path, tmp_path: Path) -> None:
    assert run(home, "--negatives", "shuffle", "-o", tmp_path / "d") == 0
    text = (f'[data]\ngenome = "{home / "g.fa.gz"}"\npositives = "{home / "p.narrowPeak"}"\nwidth = {WIDTH}\n'
            'negatives = "shuffle"\n[model]\nwidth = 8\nn_heads = 2\n')  # fmt: skip
    (tmp_path / "c.toml").write_text(text)
    config = TrainConfig.from_toml(tmp_path / "c.toml")
    settings = config.data_settings(ClassData)
    tables, told = settings.tables(config)
    assert told[:2] == ("valid: chr3 (chosen, 19% of the peaks)", "test: chr2 (chosen, 19% of the peaks)")
    for part, source in tables.items():
        (found,) = source.tables
        rows = table(tmp_path / "d" / f"{part}.csv")
        assert [row["sequence"].encode() for row in rows] == list(found.sequences)
        assert [int(row["label"]) for row in rows] == found.labels.tolist()
    sets = load(config, settings)
    assert (len(sets.train), len(sets.valid), sets.test and len(sets.test)) == (116, 36, 36)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ('train = "t.csv"\ngenome = "g.fa"\npositives = "p.bed"', "train: expected no table beside genome"),
        ('genome = "g.fa"', "a file of peaks with genome"),
        ('genome = "g.fa"\npositives = "p.bed"\ntest = "t.csv"', "test: expected no table beside genome"),
        ('genome = "g.fa"\npositives = "p.bed"\nwidth = 0', "at least 1 base"),
        ('genome = "g.fa"\npositives = "p.bed"\nnegatives = "n.bed"\nratio = 2', "0 with a file of negatives"),
    ],
)
def test_keys_of_peaks_that_do_not_fit_together_are_refused(tmp_path: Path, lines: str, text: str) -> None:
    (tmp_path / "c.toml").write_text(f"[data]\n{lines}\n[model]\nwidth = 8\nn_heads = 2\n")
    config = TrainConfig.from_toml(tmp_path / "c.toml")
    with pytest.raises(ConfigError, match=text):
        config.data_settings(ClassData)


def test_records_that_are_regions_give_the_examples_of_the_whole_contig(home: Path, tmp_path: Path) -> None:
    with Genome(home / "g.fa.gz") as genome:
        pieces = [Interval("chr1", 0, 9_000), Interval("chr2", 100, 9_000), Interval("chr3", 50, 9_000)]
        text = "".join(f">{piece}\n{genome.fetch(piece).decode()}\n" for piece in pieces)
    (tmp_path / "r.fa.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "p.bed").write_text("chr1\t300\t340\nchr1\t9500\t9540\nchr2\t700\t740\nchr3\t800\t840\n")
    (tmp_path / "black.bed").write_text("chr3\t0\t830\n")
    more = ["--negatives", "shuffle", "--width", "40", "--exclude", str(tmp_path / "black.bed"), "--test", "chr2", "-o"]
    assert main(["dataset", str(tmp_path / "p.bed"), str(tmp_path / "r.fa.gz"), *more, str(tmp_path / "d"),
                 "--regions"]) == 0  # fmt: skip
    assert main(["dataset", str(tmp_path / "p.bed"), str(home / "g.fa.gz"), *more, str(tmp_path / "whole")]) == 0
    for part in ("train", "test"):
        whole = [row for row in table(tmp_path / "whole" / f"{part}.csv") if "chr1:9500" not in row["name"]]
        here = table(tmp_path / "d" / f"{part}.csv")
        assert [row["sequence"] for row in here if row["label"] == "1"] == [
            row["sequence"] for row in whole if row["label"] == "1"]  # fmt: skip
        assert {row["name"].split()[0] for row in here} == {row["name"].split()[0] for row in whole}
    told = json.loads((tmp_path / "d" / "summary.json").read_text())
    assert told["left_out"]["positive"] == {"lie on none of the sequences": 1, "touch an excluded interval": 1}
