"""Verbs as several processes of mpiexec: one output, with the bytes of one process."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.cli.bar import Bar
from gattn_tg.cli.main import main
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.models.sites.config import SiteConfig
from gattn_tg.models.sites.network import SiteModel
from gattn_tg.models.sites.readout import SparseReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.score import in_turns
from gattn_tg.score.in_turns import SharedRows
from gattn_tg.seq import decode
from gattn_tg.training.loop.communicator import Alone

ROOT = Path(__file__).resolve().parents[2]
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
    reason='mpiexec and mpi4py are absent: pip install "gattn_tg[mpi]"',
)
SITES = SiteConfig(width=16, n_layers=1, n_heads=2, mlp_ratio=1, dropout=0.0, around_bp=16, pool_bp=8, local_width=4,
                   stem_kernel=3, composition_bp=(8,))
ALL = "import json, sys; from gattn_tg.cli.main import main; sys.exit(max(map(main, json.loads(sys.argv[1]))))"


def verbs(folder: Path, out: Path) -> list[list[str]]:
    """What is run."""
    out.mkdir(exist_ok=True)
    model, fasta = str(folder / "model"), str(folder / "g.fa")
    return [
        ["predict", model, fasta, "--stride", "3", "--batch-size", "4", "-o", f"{out}/scan.tsv"],
        ["predict", model, f"{folder}/w.fa", "--batch-size", "4", "--both-strands", "-o", f"{out}/w.tsv"],
        ["variants", model, fasta, f"{folder}/v.tsv", "--batch-size", "4", "-o", f"{out}/v.vcf.gz", "--skip-mismatched",
         f"{out}/wrong.tsv"],
        ["variants", model, fasta, f"{folder}/v.tsv", "--batch-size", "4", "-o", f"{out}/v.tsv", "--skip-mismatched",
         f"{out}/also_wrong.tsv", "--resume"],
        ["predict", f"{folder}/sites", fasta, "--batch-size", "2", "-o", f"{out}/sites.tsv"],
        ["annotate", fasta, "-o", f"{out}/m.bed.gz", "--tbi", "--processes", "1"],
        ["dataset", f"{folder}/p.bed", fasta, "--width", "20", "--negatives", "shuffle", "-o", f"{out}/data"],
    ]


def stop(*_: object) -> None:
    """Ctrl-C; the signal itself is ignored where several processes share tests out."""
    raise KeyboardInterrupt


def stop_after_a_chunk(words: list[str]) -> None:
    """Run `gattn variants` until its first rows are written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bar, "add", stop)
        assert main(words) == 130


@needs_mpi
def test_two_processes_write_the_bytes_of_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    config = ClassifierConfig(n_classes=2, width=8, n_layers=1, n_heads=2, max_length=24, stem_kernel=0, dropout=0.0)
    model = SequenceClassifier(config, seed=1)
    model.head.weight = Tensor(rng.standard_normal((2, 8)).astype(np.float32))
    checkpoint.save(model, tmp_path / "model", vocabulary=MotifVocabulary.default(),
                    readout=ClassReadout(labels=("no", "yes")))
    sites = SiteModel(SITES, seed=1)
    facts = sites.config.n_facts
    checkpoint.save(sites, tmp_path / "sites", vocabulary=MotifVocabulary.default(), readout=SparseReadout(
        target="label", both_strands=True, pattern="CG", site_bp=2, n_sites=8, mean=(0.0,) * facts, sd=(1.0,) * facts))
    contigs = {"a": 600, "b": 70, "c": 31, "d": 200}
    letters = {name: decode(rng.integers(0, 4, n)) for name, n in contigs.items()}
    (tmp_path / "g.fa").write_text("".join(f">{name}\n{text}\n" for name, text in letters.items()))
    (tmp_path / "w.fa").write_text("".join(f">{i}\n{decode(rng.integers(0, 4, 20))}\n" for i in range(70)))
    places = range(5, 590, 3)  # 195 of them are several chunks for each process
    changes = "".join(f"a\t{i + 1}\t{letters['a'][i]}\t{'ACGT'['CGTA'.index(letters['a'][i])]}\n" for i in places)
    wrong = f"a\t9\t{'ACGT'['CGTA'.index(letters['a'][8])]}\t{letters['a'][8]}\n"
    (tmp_path / "v.tsv").write_text("chrom\tpos\tref\talt\n" + changes + wrong)
    lines = [*(f"a\t{i}\t{i + 10}\n" for i in range(100, 500, 40)), "b\t20\t40\n", "d\t9\t90\n"]
    (tmp_path / "p.bed").write_text("".join(lines))
    assert [main(words) for words in verbs(tmp_path, tmp_path / "1")] == [0] * 7
    stop_after_a_chunk(next(words for words in verbs(tmp_path, tmp_path / "2") if words[-1] == "--resume"))
    assert 0 < json.loads((tmp_path / "2" / "v.tsv.part.json").read_text())["rows"] < len(places)
    done = subprocess.run(
        [str(MPIEXEC), "-n", "2", sys.executable, "-c", ALL, json.dumps(verbs(tmp_path, tmp_path / "2"))],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DEV": "CPU"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("-> ") == 8  # one process tells of each
    files = [path.relative_to(tmp_path / "1") for path in sorted((tmp_path / "1").rglob("*")) if path.is_file()]
    assert len(files) >= 14
    for name in files:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


@needs_mpi
def test_an_error_of_all_processes_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    config = ClassifierConfig(n_classes=2, width=8, n_layers=1, n_heads=2, max_length=24, stem_kernel=0, dropout=0.0)
    checkpoint.save(SequenceClassifier(config, seed=1), tmp_path / "model", vocabulary=MotifVocabulary.default(),
                    readout=ClassReadout(labels=("no", "yes")))
    rows = [f">{i}\nACGTACGTACGTACGTACGT\n" for i in range(40)]
    (tmp_path / "bad.fa").write_text("".join(rows) + ">last\nACGT!CGT\n")
    words = ["predict", f"{tmp_path}/model", f"{tmp_path}/bad.fa", "--batch-size", "4", "-o", f"{tmp_path}/out.tsv"]
    done = subprocess.run(
        [str(MPIEXEC), "-n", "2", sys.executable, "-c", ALL, json.dumps([words])],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DEV": "CPU"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    told = [line for line in (done.stdout + done.stderr).splitlines() if "gattn:" in line]
    assert len(told) == 1, told
    assert told[0].startswith(f"gattn: rank 0 of 2: {tmp_path}/bad.fa, line 82, column 5: expected nucleotide letters")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.fa", "model"]


def test_batches_are_those_of_one_process_however_they_are_shared_out() -> None:
    """A batch that comes after a whole one is filled up to it; before, it is as small as it is."""
    seen: list[tuple[int, ...]] = []

    def run(rows: np.ndarray) -> np.ndarray:
        seen.append(rows.shape)
        return rows * 2

    network = SharedRows(run, 4, Alone().over)
    for n in (3, 9, 2):
        rows = np.arange(2.0 * n).reshape(n, 2)
        np.testing.assert_array_equal(network(rows), rows * 2)
    assert seen == [(3, 2), (4, 2), (4, 2), (4, 2), (4, 2)]
    np.testing.assert_array_equal(in_turns.filled(np.array([1, 2]), 4), [1, 2, 2, 2])
