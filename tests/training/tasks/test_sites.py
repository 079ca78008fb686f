"""Learning sparse sites: what counts, parts, calibration, and the same answers from task, front door and command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.data.sites.neighbours import Window
from gattn_tg.errors import ConfigError, CoordinateError, FormatError, GattnError, UnsupportedError
from gattn_tg.front.sites import TrainedSites
from gattn_tg.io import BigWig
from gattn_tg.seq import Interval, decode, reverse_complement
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.run import train
from gattn_tg.training.tasks.registry import task_of
from gattn_tg.training.tasks.sites import PULL, Sites, _moved

CONFIG = """[data]
genome = "g.fa"
labels = "sites.tsv"
count_column = "m"
coverage_column = "cov"
pattern = "CG"
n_sites = 16
block_bp = 200

[model]
kind = "SiteModel"
width = 16
n_layers = 1
n_heads = 1
mlp_ratio = 1
dropout = 0.0
around_bp = 16
pool_bp = 8
local_width = 4
stem_kernel = 3
composition_bp = [20, 200]

[train]
steps = 40
batch_size = 4
learning_rate = 2e-2
warmup_steps = 5
validate_every = 40
reverse_complement = true
"""
CHANGES = {"labels": {"count_column": "", "coverage_column": "", "label_column": "yes"}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two contigs with many CpG; those among A and T are methylated, and every seventh is covered by no read."""
    folder, rng = tmp_path_factory.mktemp("sites"), np.random.default_rng(0)
    lines, letters = ["chrom\tstart\tend\tm\tcov\tyes\n"], ""
    for chrom, n in (("one", 3_000), ("two", 2_000)):
        ids = rng.choice([0, 1, 1, 2, 2, 3], n).astype(np.uint8)
        letters += f">{chrom}\n{decode(ids)}\n"
        for i, at in enumerate(np.flatnonzero((ids[20:-21] == 1) & (ids[21:-20] == 2)) + 20):
            cov = 0 if i % 7 == 0 else int(rng.integers(1, 40))
            said = rng.binomial(cov, 0.9 if np.isin(ids[at - 20 : at + 22], (0, 3)).mean() > 1 / 3 else 0.1)
            lines.append(f"{chrom}\t{at}\t{at + 2}\t{said}\t{cov}\t{'NA' if cov == 0 else int(2 * said > cov)}\n")
    (folder / "g.fa").write_text(letters)
    (folder / "sites.tsv").write_text("".join(lines))
    (folder / "run.toml").write_text(CONFIG)
    return folder


def config(home: Path, **data: object) -> TrainConfig:
    read = TrainConfig.from_toml(home / "run.toml")
    return replace(read, data={**read.data, **data})


@pytest.fixture(scope="module")
def task(home: Path) -> Sites:
    made = task_of(config(home))
    assert isinstance(made, Sites)
    return made


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    """A run that learns shares."""
    train(config(home), home / "run")
    return home / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> TrainedSites:
    found = gattn_tg.load(run)
    assert isinstance(found, TrainedSites)
    return found


def test_every_known_site_is_in_one_part_and_uncovered_ones_in_none(task: Sites) -> None:
    together = sum(members.astype(int) for members in task.data.parts.values())
    np.testing.assert_array_equal(together, task.data.weight > 0)
    n = len(task.data.rows)
    assert sum(counts["sites"] for counts in task.counts.values()) == (task.data.weight > 0).sum() < n
    assert task.data.weight[task.data.weight > 0].mean() == pytest.approx(1)
    assert task.data.rows.facts[task.data.parts["train"]][:, :-2].mean(0) == pytest.approx(np.zeros(10), abs=1e-5)
    assert task.data.rows.facts[task.data.parts["train"]][:, 0].std() == pytest.approx(1, abs=1e-4)


def test_a_batch_has_the_weight_of_training_sites_only_whatever_the_strand(task: Sites) -> None:
    train_at = set(np.flatnonzero(task.data.parts["train"]).tolist())
    shares: set[float] = set()
    for step in range(3):
        once, again = (task.batch(step, 0, 0, 1) for _ in range(2))
        assert all(np.array_equal(once[name], again[name]) for name in once)
        assert (once["bases"][..., 7:9][once["positions"] > 0] == [1, 2]).all()  # a CpG on both strands
        weighed = once["weight"][..., 0] > 0
        shares |= {float(x) for x in once["target"][..., 0][weighed]}
    assert shares <= {float(task.data.target[k]) for k in train_at}
    first, second = (task.batch(0, 0, rank, 2) for rank in range(2))
    assert not np.array_equal(first["bases"], second["bases"])


def test_rows_move_within_their_stretch_only() -> None:
    tile = Window(10, 26, 8, 40)
    assert {(_moved(tile, by).first, _moved(tile, by).end) for by in (-99, 99, 3)} == {(8, 24), (24, 40), (13, 29)}


def test_a_run_begins_as_a_regression_on_facts_and_learns(run: Path, home: Path, model: TrainedSites) -> None:
    task = task_of(config(home))
    assert isinstance(task, Sites)
    train = task.data.parts["train"]
    z, truth, weight = task.predict(train)[train], task.data.target[train], task.data.weight[train]
    x = np.c_[task.data.rows.facts[train], np.ones(train.sum())]
    found = np.linalg.lstsq(x, z, rcond=None)[0]
    np.testing.assert_allclose(x @ found, z, atol=1e-4)  # linear in the facts
    left = weight * (truth - 1 / (1 + np.exp(-z)))
    np.testing.assert_allclose(x.T @ left, found * PULL, atol=0.01 * weight.sum() ** 0.5)  # and the best such one
    held = model.evaluate().metrics
    assert held["test"]["pearson"] > 0.6  # what is learnt is the GC content within 20 bases
    assert held["valid"]["loss"] < task.validate()["loss"]
    assert np.isfinite(answers_at(model, home, task)).all()


def answers_at(model: TrainedSites, home: Path, task: Sites) -> np.ndarray:
    found = model.along(home / "g.fa")
    assert [s.starts.tolist() for s in found.lists] == [s.starts.tolist() for s in task.data.rows.lists]
    return found.values


def test_task_front_door_and_command_say_the_same(run: Path, home: Path, model: TrainedSites, tmp_path: Path) -> None:
    found = model.along(home / "g.fa")
    out = tmp_path / "m.tsv"
    assert main(["predict", str(run), str(home / "g.fa"), "-o", str(out)]) == 0
    found.to_tsv(tmp_path / "own.tsv")
    assert out.read_text() == (tmp_path / "own.tsv").read_text()
    lines = out.read_text().splitlines()
    assert lines[0] == "chrom\tstart\tend\tshare"
    assert len(lines) == 1 + len(found)
    np.testing.assert_array_equal(model.predict(home / "g.fa").values, found.values)
    assert main(["predict", str(run), str(home / "g.fa"), "-o", str(tmp_path / "m.bw"), "--batch-size", "4"]) == 0
    first = found.lists[0]
    with BigWig(tmp_path / "m.bw") as track:
        values = track.values(Interval("one", 0, 3_000), missing=np.nan)
        np.testing.assert_allclose(values[first.starts], found.values[: len(first.starts)], rtol=1e-6)
        assert np.isfinite(values).sum() == 2 * len(first.starts)
    found.to_npz(tmp_path / "m.npz")
    kept = np.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(kept["end"] - kept["start"], 2)
    assert kept["chrom"].tolist() == ["one"] * len(first.starts) + ["two"] * (len(found) - len(first.starts))


def test_places_and_listed_sites_have_the_answers_of_all(
    run: Path, home: Path, model: TrainedSites, tmp_path: Path
) -> None:
    whole = model.along(home / "g.fa")
    rows = {(chrom, start): value for chrom, start, _, value in whole.rows()}
    part = model.along(home / "g.fa", ["one:1,000-2,000", "one:1,500-2,100", "two:0-90"])
    told = {(chrom, start): value for chrom, start, _, value in part.rows()}
    assert set(told) == {(c, s) for c, s in rows if (c == "one" and 1_000 <= s < 2_100) or (c == "two" and s < 90)}
    np.testing.assert_allclose([told[place] for place in told], [rows[place] for place in told], atol=1e-6)
    sites = list(rows)[::9]
    bed = tmp_path / "s.bed"
    bed.write_text("".join(f"{c}\t{s}\t{s + 2}\tcpg{i}\n" for i, (c, s) in reversed(list(enumerate(sites)))))
    out = tmp_path / "s.tsv"
    assert main(["predict", str(run), str(home / "g.fa"), "--sites", str(bed), "-o", str(out)]) == 0
    lines = [line.split("\t") for line in out.read_text().splitlines()]
    assert lines[0] == ["chrom", "start", "end", "name", "share"]
    assert [(line[0], int(line[1]), line[3]) for line in lines[1:]] == [
        (c, s, f"cpg{i}") for i, (c, s) in enumerate(sites)]
    np.testing.assert_allclose([float(line[4]) for line in lines[1:]], [rows[place] for place in sites], atol=1e-5)


def test_both_strands_have_one_answer(home: Path, model: TrainedSites) -> None:
    sequence = (home / "g.fa").read_text().split("\n")[1]
    short = sequence[:150]  # in one row: longer ones are cut into rows from their beginning
    here, there = model.predict([short]), model.predict([decode(reverse_complement(gattn_tg.encode(short)))])
    np.testing.assert_allclose(here.values, there.values[::-1], atol=1e-6)


@pytest.mark.parametrize(("bed", "said"), [
    ("one\t1\t4\n", "line 1: expected a site of 2 bases, as the model was trained on, got 3"),
    ("one\t1\t3\none\t1\t3\n", "line 2: expected every site once, got one:1 again"),
    ("one\t2999\t3001\n", "expected it within a sequence"),
    ("x\t1\t3\n", "expected a contig of the sequences|within a sequence|there are one, two"),
])  # fmt: skip
def test_a_wrong_list_of_sites_gets_one_line(
    bed: str, said: str, home: Path, model: TrainedSites, tmp_path: Path
) -> None:
    (tmp_path / "s.bed").write_text(bed)
    with pytest.raises(GattnError, match=said):
        model.along(home / "g.fa", sites=tmp_path / "s.bed")


def test_questions_that_sites_have_no_answer_to_are_refused(
    run: Path, home: Path, model: TrainedSites, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for ask in (model.embed, model.motif_attention, model.explain, model.variants, model.generate):
        with pytest.raises(UnsupportedError, match="a SiteModel cannot"):
            ask("ACGT")
    with pytest.raises(ConfigError, match="expected places or a list of sites, got both"):
        model.along(home / "g.fa", "one:0-9", sites=tmp_path / "s.bed")
    with pytest.raises(CoordinateError, match="expected a contig of the sequences, got x"):
        model.along(home / "g.fa", "x:0-9")
    for option in (["--stride", "5"], ["--head", "a"], ["--tracks", "a"]):
        assert main(["predict", str(run), str(home / "g.fa"), "-o", str(tmp_path / "x.tsv"), *option]) == 2
        assert "leave it out" in capsys.readouterr().err
    assert not (tmp_path / "x.tsv").exists()


def test_labels_are_learnt_from_listed_sites_and_predicted_on_a_list(home: Path, tmp_path: Path) -> None:
    listed = config(home, **CHANGES["labels"], pattern="", both_strands=False)
    short = replace(listed, train=replace(listed.train, steps=2, validate_every=2))
    done = train(short, tmp_path / "run")
    assert set(done.fitted.validations[0].metrics) == {"n", "loss", "auc", "average_precision"}
    model = gattn_tg.load(tmp_path / "run")
    with pytest.raises(ConfigError, match="expected a list of sites for a model that was trained on listed ones"):
        model.along(home / "g.fa")
    bed = tmp_path / "s.bed"
    bed.write_text("one\t500\t502\tA\none\t900\t902\tB\n")  # any place will do
    found = model.along(home / "g.fa", sites=bed)
    assert (found.names, found.tracks, len(found)) == (("A", "B"), ("probability",), 2)


@pytest.mark.parametrize(("changes", "said"), [
    ({"label_column": "yes"}, "label_column: expected this or count_column, and not both"),
    ({"count_column": "", "coverage_column": ""}, "label_column: expected this or count_column"),
    ({"coverage_column": ""}, "coverage_column: expected a column beside count_column"),
    ({"pattern": "CA"}, "reads the same on both strands, as CG, got 'CA'"),
    ({"pattern": "GC"}, "expected the letters GC at every site"),
    ({"n_sites": 0}, "n_sites: expected from 1 to"),
    ({"count_column": "cov", "coverage_column": "m"}, "are the columns exchanged"),
    ({"valid_contigs": ["three"]}, "valid_contigs: expected contigs with labelled sites, got 'three'"),
    ({"test_contigs": ["two"], "test_regions": "t.bed"}, "test_regions: expected none beside test_contigs"),
    ({"valid_contigs": ["two"], "test_contigs": ["two"]}, "test_contigs: expected no contig of valid_contigs"),
    ({"test_contigs": ["two"], "fold": 1}, "fold: expected 0 without a test by test_fraction"),
    ({"test_regions": "none.bed"}, "test_regions: expected an existing file"),
    ({"test_regions": "far.bed"}, "expected labelled sites for test, got none"),
])  # fmt: skip
def test_settings_that_do_not_fit_are_refused(changes: dict[str, object], said: str, home: Path) -> None:
    (home / "far.bed").write_text("one\t2999\t3000\n")
    with pytest.raises((ConfigError, CoordinateError, FormatError), match=said):
        task_of(config(home, **changes))


def test_parts_by_contigs_and_regions(home: Path) -> None:
    (home / "t.bed").write_text("one\t500\t620\none\t600\t900\n")
    by_contig, by_region = task_of(config(home, test_contigs=["two"])), task_of(config(home, test_regions="t.bed"))
    assert isinstance(by_contig, Sites)
    assert isinstance(by_region, Sites)
    on_two = np.arange(len(by_contig.data.rows)) >= by_contig.data.rows.bounds[1]
    assert not (by_contig.data.parts["train"] | by_contig.data.parts["valid"])[on_two].any()
    np.testing.assert_array_equal(by_contig.data.parts["test"], on_two & (by_contig.data.weight > 0))
    starts, known = by_region.data.rows.starts, by_region.data.weight > 0
    inside = ~on_two & (starts >= 500) & (starts < 900)
    np.testing.assert_array_equal(by_region.data.parts["test"], inside & known)
    assert not (by_region.data.parts["train"] | by_region.data.parts["valid"])[inside].any()


def test_the_fingerprint_is_of_what_is_learnt_from(home: Path, task: Sites) -> None:
    prints = {task_of(config(home, **changes)).fingerprint() for changes in (
        {}, {"n_sites": 8}, {"most_coverage": 5}, {"split_seed": 1}, CHANGES["labels"])}  # fmt: skip
    assert len(prints) == 5
    assert task.fingerprint() in prints
