"""The tasks of tracks and of single bases, from a configuration file to metrics, on a genome of a few hundred bases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.cli.main import main
from gattn_tg.data.genomes.stretches import Stretches
from gattn_tg.data.marks import MarkedWindows
from gattn_tg.data.tracks import ArrayTargets, soft_clipped, unclipped
from gattn_tg.errors import ConfigError
from gattn_tg.io import write_bigwig
from gattn_tg.models import checkpoint
from gattn_tg.models.captured.inputs import to_tensors
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq.codec import decode
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.tasks.bases import Bases
from gattn_tg.training.tasks.heads import Heads
from gattn_tg.training.tasks.registry import task_of
from gattn_tg.training.tasks.tracks import Tracks, measure, targets_of

WIDTH, MARGIN, BINS, BIN_BP = 128, 32, 16, 4
TRACKS = """[data]
genome = "genome.fa"
windows = "windows.bed"
targets = ["targets.npz"]
tracks = "tracks.tsv"
window_bp = 96
valid = ""
valid_fraction = 0.25
test = "held"
soft_clip = 2.0

[model]
kind = "TrackModel"
width = 32
n_layers = 1
n_heads = 1
mlp_ratio = 1
bin_bp = 4
crop_bp = 32
composition_bp = [8, 32]

[train]
steps = 3
batch_size = 2
warmup_steps = 1
reverse_complement = true
"""
BASES = """[data]
genome = "genome.fa"
labels = "sites.tsv"
label_column = "called"
window_bp = 64
block_bp = 64

[model]
kind = "PerBaseModel"
width = 16
n_layers = 1
n_heads = 1
stem_kernel = 5

[train]
steps = 3
batch_size = 4
warmup_steps = 1
reverse_complement = true
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six windows, four to train on and two held; tracks 0 and 1 are strands of one assay."""
    home = tmp_path_factory.mktemp("tracks")
    rng = np.random.default_rng(0)
    bases = rng.integers(0, 4, 800).astype(np.uint8)
    (home / "genome.fa").write_text(f">chr1\n{decode(bases)}\n")
    parts = ["train"] * 4 + ["held"] * 2
    lines = [f"chr1\t{i * WIDTH}\t{(i + 1) * WIDTH}\t{part}\n" for i, part in enumerate(parts)]
    (home / "windows.bed").write_text("".join(lines))
    np.savez(home / "targets.npz", targets=rng.gamma(0.5, 8.0, (6, BINS, 3)).astype(np.float16))
    (home / "tracks.tsv").write_text(
        "identifier\tstrand_pair\tdescription\na+\t1\tCAGE:x\na-\t0\tCAGE:x\nb\t2\tDNASE:y\n"
    )
    cpg = np.flatnonzero((bases[:-1] == 1) & (bases[1:] == 2))
    sites = "".join(f"chr1\t{at}\t{at + 2}\t{i % 2}\n" for i, at in enumerate(cpg))
    (home / "sites.tsv").write_text("#chrom\tstart\tend\tcalled\n" + sites)
    (home / "tracks.toml").write_text(TRACKS)
    (home / "bases.toml").write_text(BASES)
    return home


@pytest.fixture(scope="module")
def tracks(folder: Path) -> Tracks:
    task = task_of(TrainConfig.from_toml(folder / "tracks.toml"))
    assert isinstance(task, Tracks)
    return task


@pytest.fixture(scope="module")
def bases(folder: Path) -> Bases:
    task = task_of(TrainConfig.from_toml(folder / "bases.toml"))
    assert isinstance(task, Bases)
    return task


def test_batches_depend_on_their_numbers_only(tracks: Tracks, bases: Bases) -> None:
    for task in (tracks, bases):
        once, again, other = (task.batch(step, 0, 1, 2) for step in (5, 5, 6))
        assert all(np.array_equal(once[name], again[name]) for name in once)
        assert not np.array_equal(once["bases"], other["bases"])
        assert {name: x.shape for name, x in once.items()} == {name: x.shape for name, x in other.items()}


def test_targets_are_scaled_and_clipped_and_turned_back(tracks: Tracks) -> None:
    means = targets_of(tracks.data.train).mean((0, 1))
    both = (means[0] + means[1]) / 2
    assert np.allclose(tracks.head.scale, [both, both, means[2]], rtol=1e-5)
    batch = tracks.batch(0, 0, 0, 1)
    assert batch["targets"].shape == (2, 8, 3)
    x = np.linspace(0, 50, 101)
    assert np.allclose(unclipped(soft_clipped(x, 2.0), 2.0), x)
    assert np.allclose(soft_clipped(x, 2.0)[:5], x[:5])
    assert np.array_equal(soft_clipped(x, 0.0), x)


def test_a_run_trains_and_measures_tracks(tracks: Tracks) -> None:
    fitted = Fit(tracks, tracks.settings).run()
    assert fitted.step == 3
    metrics = tracks.validate()
    names = {f"{name}{assay}" for name in ("pearson", "pearson_log1p") for assay in ("", "_CAGE", "_DNASE")}
    assert set(metrics) == names | {"loss"}
    held = tracks.test()
    assert held is not None
    assert np.isfinite(held["loss"])
    assert tracks.head.tracks == ("a+", "a-", "b")
    assert tracks.head.assays == ("CAGE", "CAGE", "DNASE")


def test_predictions_for_the_other_strand_are_mirrored(tracks: Tracks, folder: Path) -> None:
    """With both strands averaged, reading the genome backwards reverses bins and exchanges the tracks of a pair."""
    pieces = tracks.data.test
    assert pieces is not None
    forward = tracks.predict(pieces)
    genome = pieces.genome
    assert isinstance(genome, Stretches)
    size = len(genome.intervals[0])
    ids, _ = genome.windows([genome.intervals[0]], size)
    (folder / "back.fa").write_text(f">chr1\n{decode(reverse_complement(ids[0]))}\n")
    turned = [type(i)(i.chrom, size - i.end, size - i.start) for i in pieces.intervals]
    back = replace(pieces, genome=Stretches.from_fasta(folder / "back.fa"), intervals=turned)
    assert np.allclose(tracks.predict(back), forward[:, ::-1][:, :, [1, 0, 2]], rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def heads(folder: Path) -> Heads:
    """The same windows twice, under two names and with other targets."""
    rng = np.random.default_rng(1)
    np.savez(folder / "mouse.npz", targets=rng.gamma(0.5, 3.0, (6, BINS, 2)).astype(np.float16))
    data, rest = TRACKS.split("[model]")
    mouse = data.replace("[data]", "[data.mouse]").replace("targets.npz", "mouse.npz")
    mouse = mouse.replace('tracks = "tracks.tsv"\n', "").replace('test = "held"\n', "")
    text = data.replace("[data]", "[data.human]") + mouse + "[model]" + rest
    (folder / "heads.toml").write_text(text)
    task = task_of(TrainConfig.from_toml(folder / "heads.toml"))
    assert isinstance(task, Heads)
    return task


def test_heads_share_the_trunk_and_count_alike(heads: Heads, tracks: Tracks) -> None:
    assert heads.model.config.heads == (("human", 3), ("mouse", 2))
    batch = heads.batch(5, 0, 1, 2)
    alone = tracks.batch(5, 0, 1, 2)  # a head sees what it would see alone
    assert {k: v.shape for k, v in batch.items() if k.startswith("human.")} == {
        f"human.{k}": v.shape for k, v in alone.items()
    }
    assert np.array_equal(batch["human.bases"], alone["bases"])
    total, count = heads.loss(to_tensors(batch))
    assert count.item() == 2
    means = []
    for name, task in heads.tasks.items():
        mine = {key.split(".")[1]: x for key, x in batch.items() if key.startswith(name)}
        summed, n = task.loss(to_tensors(mine))
        means.append(summed.item() / n.item())
    assert total.item() == pytest.approx(sum(means), rel=1e-5)


def test_a_run_trains_several_heads(heads: Heads, folder: Path) -> None:
    before = {name: head.weight.numpy() for name, head in heads.model.heads.items()}
    run = RunFolder(folder / "run")
    assert Fit(heads, heads.tasks["human"].settings, run).run().step == 3
    assert all((before[name] != head.weight.numpy()).any() for name, head in heads.model.heads.items())
    metrics = heads.validate()
    assert metrics["pearson"] == pytest.approx((metrics["human_pearson"] + metrics["mouse_pearson"]) / 2)
    held = heads.test()
    assert held is not None
    assert "human_pearson" in held
    assert "mouse_pearson" not in held  # its data names no test part
    about = checkpoint.read(run.best)[0]["about"]
    assert about["heads"]["human"]["tracks"] == ["a+", "a-", "b"]
    assert about["heads"]["mouse"]["assays"] == ["all", "all"]


def test_heads_that_do_not_fit_are_refused(folder: Path, heads: Heads) -> None:
    text = (folder / "heads.toml").read_text()
    (folder / "wrong.toml").write_text("[data]\nwindow_bp = 96\n" + text)
    with pytest.raises(ConfigError, match=r"only tables \[data.NAME\], one per head, got 'window_bp'"):
        task_of(TrainConfig.from_toml(folder / "wrong.toml"))
    classes = MotifVocabulary.default().classes
    (folder / "other.toml").write_text(MotifVocabulary(classes[:3]).to_toml())
    head, mouse = text.split("[data.mouse]")
    (folder / "wrong.toml").write_text(head + '[data.mouse]\nvocabulary = "other.toml"' + mouse)
    with pytest.raises(ConfigError, match=r"one motif vocabulary for all heads, .* got several"):
        task_of(TrainConfig.from_toml(folder / "wrong.toml"))


def test_targets_may_come_from_bigwig_files(folder: Path) -> None:
    """A file per track whose value at a base is its number: every bin of every window is the mean of its bases."""
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    for name, factor in (("a", 1.0), ("b", 3.0), ("c", 2.0)):  # three, as in the other tests, whose kernels serve
        values = [("chr1", at, at + 1, factor * at) for at in range(800)]
        write_bigwig(folder / f"{name}.bw", {"chr1": 800}, values)
    text = TRACKS.replace('"targets.npz"', '"a.bw", "b.bw", "c.bw"').replace('tracks = "tracks.tsv"\n', "")
    (folder / "bigwig.toml").write_text(text)
    task = task_of(TrainConfig.from_toml(folder / "bigwig.toml"))
    assert isinstance(task, Tracks)
    first = np.array([interval.start + MARGIN for interval in task.data.train.intervals])
    means = first[:, None] + BIN_BP * np.arange(BINS) + (BIN_BP - 1) / 2
    np.testing.assert_allclose(targets_of(task.data.train), means[..., None] * [1.0, 3.0, 2.0], rtol=1e-6)
    for step in range(4):  # pieces by chance, some of them turned
        batch = task.batch(step, 0, 0, 1)
        counts = task.head.counts(batch["targets"])
        np.testing.assert_allclose(counts[..., 1], 3 * counts[..., 0], rtol=1e-4)
        np.testing.assert_allclose(np.abs(np.diff(counts[..., 0], axis=1)), BIN_BP, rtol=1e-2)
    assert Fit(task, task.settings).run().step == 3
    assert np.isfinite(task.validate()["loss"])


def test_measures_are_means_over_tracks_then_assays() -> None:
    rng = np.random.default_rng(1)
    p, y = rng.gamma(1, 1, (2, 2, 20, 3))
    found = measure(p, y, ("a", "a", "b"), np.ones(3, np.float32))
    r = [np.corrcoef(p[..., k].ravel(), y[..., k].ravel())[0, 1] for k in range(3)]
    assert np.isclose(found["pearson"], ((r[0] + r[1]) / 2 + r[2]) / 2)
    assert np.isclose(found["pearson_b"], r[2])
    assert np.isclose(found["loss"], (p - y * np.log(p)).mean())


def test_the_loss_counts_labelled_sites_only(bases: Bases) -> None:
    batch = bases.batch(0, 0, 0, 1)
    inputs = to_tensors(batch)
    total, count = bases.loss(inputs)
    z = bases.model(inputs["bases"], inputs["motif_ids"]).numpy().astype(np.float64)
    at = batch["weight"] > 0
    assert count.item() == at.sum() > 0
    assert np.isclose(total.item(), (np.logaddexp(0, z) - batch["labels"] * z)[at].sum(), rtol=1e-5)


def test_a_run_trains_and_measures_bases(bases: Bases) -> None:
    Fit(bases, bases.settings).run()
    labels, logits = bases.predict(bases.data.test)
    places, expected = bases.data.test.sites()
    assert np.array_equal(labels, expected)
    assert len(places) == len(logits) > 0
    metrics = bases.test()
    assert metrics is not None
    assert metrics["n"] == len(labels)
    assert set(bases.validate()) == {"n", "loss", "auc", "average_precision"}
    assert {len(part) > 0 for part in dict(bases.readout.blocks).values()} == {True}


def test_fingerprints_differ_with_the_data(tracks: Tracks, bases: Bases) -> None:
    assert tracks.fingerprint() == tracks.fingerprint() != bases.fingerprint()
    fewer = MarkedWindows(bases.data.train.genome, bases.data.train.marks, bases.data.train.blocks[1:], 64)
    assert len(fewer) < len(bases.data.train)
    assert isinstance(tracks.data.train.targets, ArrayTargets)


@pytest.mark.parametrize(("old", "new", "message"), [
    ('test = "held"', 'test = "none"', "test: expected a part in the fourth column of windows.bed, got 'n"),
    ("valid_fraction = 0.25", "valid_fraction = 0.9", "windows left to train on, but all 4 would be held"),
    ("width = 32", "width = 32\nn_motifs = 4\nbin_ranks = [1]", "at least the 16 ids of the vocabulary"),
    ("window_bp = 96", "window_bp = -1", "window_bp: expected a number of bases, or 0, got -1"),
])
def test_refusals(folder: Path, old: str, new: str, message: str) -> None:
    path = folder / "wrong.toml"
    assert old in TRACKS
    path.write_text(TRACKS.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        task_of(TrainConfig.from_toml(path))


def test_a_table_of_other_tracks_is_refused(folder: Path) -> None:
    (folder / "other.tsv").write_text("identifier\tdescription\na\tCAGE:x\n")
    (folder / "wrong.toml").write_text(TRACKS.replace("tracks.tsv", "other.tsv"))
    with pytest.raises(ConfigError, match="3 rows, one per track, got 1 rows and the columns ident"):
        task_of(TrainConfig.from_toml(folder / "wrong.toml"))


def test_a_model_that_reads_motifs_needs_a_genome_with_them(folder: Path) -> None:
    assert main(["preprocess", str(folder / "genome.fa"), "-o", str(folder / "bare"), "--no-motifs"]) == 0
    for name, text in (("tracks", TRACKS), ("bases", BASES)):
        text = text.replace('genome = "genome.fa"', 'genome = "bare"')
        (folder / "bare.toml").write_text(text)
        with pytest.raises(ConfigError, match="a genome with motif ids by a model that reads them, got one without"):
            task_of(TrainConfig.from_toml(folder / "bare.toml"))
        (folder / "bare.toml").write_text(text.replace("[model]", '[model]\nmotif = "none"\nembed_motifs = false'))
        assert task_of(TrainConfig.from_toml(folder / "bare.toml")).steps_per_epoch > 0, name
