"""The command as a user meets it: verbs, JSON, files, and every mistake as one line and exit code 2."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gattn_tg import __version__
from gattn_tg.cli.arguments.parser import parser
from gattn_tg.cli.main import main
from gattn_tg.data.genomes.bundled import bundled
from gattn_tg.errors import ConfigError
from gattn_tg.machine import devices
from gattn_tg.models import checkpoint

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = """
[data]
train = "a.csv"
valid_fraction = 0.25
test_fraction = 0.25
[model]
width = 8
n_layers = 1
n_heads = 2
stem_kernel = 0
dropout = 0.0
positions = "learned"
[train]
epochs = 2
batch_size = 8
"""


def failure(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on stderr of a command that must fail."""
    assert main([str(a) for a in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gattn: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a configuration, and a finished run in `run/`."""
    home = tmp_path_factory.mktemp("cli")
    letters = np.random.default_rng(0).choice(list("ACGT"), (32, 9))
    rows = [f"{''.join(row)},{i % 2}" for i, row in enumerate(letters)]
    (home / "a.csv").write_text("sequence,label\n" + "\n".join(rows) + "\n")
    (home / "run.toml").write_text(CONFIG)
    assert main(["train", str(home / "run.toml"), "-o", str(home / "run"), "--json"]) == 0
    return home


def test_train_says_one_json_object(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    capsys.readouterr()
    assert main(["train", str(run / "run.toml"), "-o", str(tmp_path / "r"), "--json", "--seed", "7"]) == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert err == ""
    assert said["best"] == str(tmp_path / "r" / "best")
    assert said["test"]["n"] == 8
    assert not said["interrupted"]
    assert (tmp_path / "r" / "config.toml").read_text() == CONFIG
    assert json.loads((tmp_path / "r" / "test.json").read_text()) == said["test"]


def test_train_refusals(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = run / "run.toml"
    before = {p: p.read_bytes() for p in (run / "run").rglob("*") if p.is_file()}
    assert "holds a run; resume it, overwrite it" in failure(capsys, "train", config, "-o", run / "run")
    assert "one of --resume and --overwrite" in failure(capsys, "train", config, "--resume", "--overwrite")
    said = failure(capsys, "train", config, "-o", run / "run", "--from", "step_00000003", "--json")
    assert "checkpoints: expected one of step_00000002, step_00000004, got 'step_00000003'; name one of" in said
    assert before == {p: p.read_bytes() for p in (run / "run").rglob("*") if p.is_file()}
    assert "none.toml: expected a configuration file" in failure(capsys, "train", tmp_path / "none.toml")
    bad = run / "bad.toml"
    for change, message in (
        (("n_heads = 2", "n_heads = 3"), "[model] width: expected a multiple of n_heads = 3, the nearest are 6 and 9"),
        (("n_heads = 2", "n_head = 3"), "[model]: expected one of its known keys, got 'n_head'; did you mean"),
        (("n_heads = 2", "n_classes = 3"), "[model] n_classes: expected no value, since it follows from"),
        (("n_heads = 2", "n_motifs = 3"), "[model] n_motifs: expected at least the 16 ids of the vocabulary"),
        (
            ("valid_fraction = 0.25", "valid_fraction = 0.001"),
            "at least one sequence for valid, but 0 of 32",
        ),
    ):
        bad.write_text(CONFIG.replace(*change))
        assert message in failure(capsys, "train", bad, "-o", tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def test_predict_writes_a_table(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    best, fasta, table = run / "run" / "best", tmp_path / "a.fa", tmp_path / "out.tsv"
    fasta.write_text(">one\nACGATTACA\n>two\nACGTT\n")
    assert main(["predict", str(best), str(fasta)]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == "name\tlength\tpredicted\tp_0\tp_1"
    assert [line.split("\t")[:2] for line in shown.splitlines()[1:]] == [["one", "9"], ["two", "5"]]
    assert main(["predict", str(best), str(fasta), "-o", str(table), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["n"] == 2
    assert table.read_text() == shown

    again = ["predict", best, fasta, "-o", table]
    assert "a new file, got one that exists; add --overwrite" in failure(capsys, *again)
    fasta.write_text(">one\nACGATTACA\n>two\nACG!\n")
    assert "a.fa, line 4, column 4" in failure(capsys, *again, "--overwrite")
    assert table.read_text() == shown  # a failed run leaves the old file
    assert set(tmp_path.iterdir()) == {fasta, table}  # and no temporary file
    assert "a file for the table with --json" in failure(capsys, "predict", best, fasta, "--json")
    assert "an existing folder" in failure(
        capsys, "predict", best, fasta, "-o", tmp_path / "no" / "x"
    )
    assert "a file name, but a folder came" in failure(capsys, "predict", best, fasta, "-o", tmp_path)
    assert "got one without config.json" in failure(capsys, "predict", tmp_path, fasta)
    assert "no such file" in failure(capsys, "predict", best, tmp_path / "none.fa")


def test_evaluate(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run / "run" / "best"), str(run / "a.csv"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["n"] == 32
    assert sum(map(sum, said["confusion"])) == 32
    assert said["intervals"]["accuracy"]["low"] <= said["accuracy"] <= said["intervals"]["accuracy"]["high"]
    assert main(["evaluate", str(run / "run" / "best"), str(run / "a.csv")]) == 0
    out = capsys.readouterr().out
    assert f"32 sequences  accuracy {said['accuracy']:.4f}" in out
    assert f"95 % over sequences drawn again: accuracy {said['intervals']['accuracy']['low']:.4g} to " in out
    assert "true \\ predicted" in out


def test_evaluate_on_the_held_out_data_of_a_run(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    best = run / "run" / "best"
    assert main(["evaluate", str(best), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["kind"] == "SequenceClassifier"
    assert said["test"] == json.loads((run / "run" / "test.json").read_text())
    chosen = [x for x in map(json.loads, (run / "run" / "metrics.jsonl").read_text().splitlines()) if x.get("is_best")]
    assert said["valid"] == chosen[-1]["metrics"]
    assert main(["evaluate", str(best), str(run / "run.toml")]) == 0
    assert f"valid  n 8  loss {said['valid']['loss']:.4g}" in capsys.readouterr().out
    other = run / "other.toml"
    other.write_text(CONFIG.replace("width = 8", "width = 16"))
    assert "[model] width: expected 8 for the checkpoint" in failure(capsys, "evaluate", best, other)
    other.write_text(CONFIG.replace("[model]", '[model]\nkind = "GenomicGPT"'))
    message = "[model] kind: expected 'SequenceClassifier' for the checkpoint"
    assert message in failure(capsys, "evaluate", best, other)
    copied = shutil.copytree(best, tmp_path / "copy")
    assert "a checkpoint in the folder of its run to find" in failure(capsys, "evaluate", copied)
    older = json.loads((copied / "config.json").read_text())
    del older["config"]["motif_start"], older["config_sha256"]  # as versions before these fields wrote it
    (copied / "config.json").write_text(json.dumps(older))
    assert main(["evaluate", str(copied), str(run / "run.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["valid"] == said["valid"]


def test_finetune_takes_what_fits(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = run / "tuned"
    config = run / "tune.toml"
    config.write_text(CONFIG.replace("epochs = 2", "epochs = 1\ntrunk_rate = 0.0"))
    command = ["finetune", str(run / "run"), str(config), "-o", str(home)]  # the folder of a run means its best/
    assert main([*command, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_steps"] > 0
    assert not home.exists()
    assert main(command) == 0
    err = capsys.readouterr().err
    assert "from the SequenceClassifier: embed_" in err
    assert "; begin anew: head (2)" in err
    before, after = (checkpoint.read(folder / "best")[1] for folder in (run / "run", home))
    same = {name for name in before if np.array_equal(before[name], after[name])}
    assert same == {name for name in before if not name.startswith("head.")}  # trunk_rate = 0 freezes them
    drawn = (home / "curves.html").read_text()
    assert drawn.startswith("<!doctype html>")
    for title in ("The motif table", "ROC", "Precision and recall", "Calibration", "Confusion"):
        assert f"<h2>{title}</h2>" in drawn
    assert main([*command, "--resume"]) == 0  # nothing is left to do
    capsys.readouterr()
    assert "holds a run; resume it, overwrite it" in failure(capsys, *command)


def test_annotate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fasta, bed = tmp_path / "a.fa", tmp_path / "a.bed"
    fasta.write_text(">c1\nAAAACGAAAA\n")
    assert main(["annotate", str(fasta)]) == 0
    assert capsys.readouterr().out.startswith("c1\t4\t6\tcpg\t1000\t.\t4\t6\t")
    assert main(["annotate", str(fasta), "-o", str(bed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["motifs"]["cpg"] == 1
    assert any(line.startswith("c1\t4\t6\tcpg\t1000\t.\t4\t6\t") for line in bed.read_text().splitlines())
    assert "add --overwrite" in failure(capsys, "annotate", fasta, "-o", bed)
    assert main(["annotate", str(fasta), "-o", str(bed), "--overwrite"]) == 0
    assert "1 sites in 10 bases" in capsys.readouterr().out
    assert "TOML" in failure(capsys, "annotate", fasta, "--vocabulary", fasta)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dctor"], "invalid choice: 'dctor'"),
        (["train"], "the following arguments are required: CONFIG.toml; see `gattn train --help`"),
        (["doctor", "--jsn"], "unrecognized arguments: --jsn"),
        (["doctor", "--js"], "unrecognized arguments: --js"),
        (["demo", "--seed", "-1"], "argument --seed: expected a whole number of at least 0 and at most 92233720368547"),
        (["demo", "--epochs", "0"], "a whole number of at least 1 and at most 1000000, got '0'"),
        (["predict", "a", "b", "--device", "TPU"], "device: expected one of METAL, AMD"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in failure(capsys, *arguments)


def test_help_is_a_verb_too(capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for arguments in (["help", "predict"], ["predict", "--help"], ["help"], ["--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] != shown[2] == shown[3]
    assert "gattn help VERB" in shown[2]


def test_the_package_runs_as_a_module_and_lists_its_names() -> None:
    code = "import gattn_tg; assert set(gattn_tg.__all__) == set(dir(gattn_tg)); gattn_tg.attention"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    done = subprocess.run([sys.executable, "-m", "gattn_tg", "--version"], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode() == f"gattn_tg {__version__}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("arguments", [["motifs", "--file", "m.jaspar", "--pvalue", "0.01"], []])
def test_a_full_disk_behind_standard_output_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "m.jaspar").write_text(">M1 x\nA [8 0 0 0 9 9]\nC [0 8 0 9 0 0]\nG [0 0 8 0 0 0]\nT [1 1 1 0 0 0]\n")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gattn_tg", *arguments], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE,
            text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "standard output: expected room for the results, got: no space left" in done.stderr


@pytest.mark.parametrize("folder", ["/proc/none/run", "/dev/null/run"])
def test_places_that_cannot_be_made_are_one_line(
    folder: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["train", run / "run.toml"], ["demo"]):
        assert folder.rsplit("/", 1)[0] in failure(capsys, *arguments, "-o", folder)


@pytest.mark.parametrize("error", [MemoryError("Allocation of 9 GB failed"), OSError(12, "Cannot allocate memory")])
def test_memory_that_is_not_there_is_one_line(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: object) -> int:
        raise error

    monkeypatch.setattr("gattn_tg.cli.genomes.motifs.run", run)
    assert "memory: expected more than this machine gives" in failure(capsys, "motifs")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("NUM_CPU_THREADS", "abc", "a whole number, got 'abc'"),
        ("NUM_CPU_THREADS", "999999", "from 1 to 1024"),
        ("DEBUG", "yes", "a whole number"),
        ("DEV", "CPU:a:b:c", "DEVICE, DEVICE:RENDERER or"),
    ],
)
def test_variables_that_tinygrad_cannot_read_are_one_line(
    name: str, value: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    said = failure(capsys, "doctor")
    assert f"environment variable {name}: " in said
    assert message in said


@pytest.mark.parametrize(
    "name", ["CUDA", "cuda:0", "TPU", "METAL", "NULL", "CPU:NONE", "CPU:1", "CPU:a:b:c", "A+B+CPU"],
)
def test_a_device_that_cannot_be_opened_is_one_line(
    name: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name.split(":")[0].upper() in devices.present():
        pytest.skip(f"{name} is here")
    said = failure(capsys, "evaluate", run / "run" / "best", run / "a.csv", "--device", name)
    assert said.startswith("gattn: device: ")


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "gattn demo" in capsys.readouterr().out
    for arguments in (["--version"], ["predict", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
    assert f"gattn_tg {__version__}" in capsys.readouterr().out


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m gattn_tg.cli.main annotate {bundled('alpha_globin_hg38.fa.gz')} | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


def test_quick_verbs_load_no_tinygrad() -> None:
    code = (
        "import sys, gattn_tg.cli.main, gattn_tg.cli.genomes.annotate, gattn_tg.cli.computer.doctor; "
        "sys.exit('tinygrad' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("name", ["x.bw", "x.npz", "X.BigWig"])
def test_a_table_gets_no_name_of_another_format(
    name: str, run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.fa").write_text(">a\nACG\n")
    said = failure(capsys, "predict", run / "run" / "best", tmp_path / "a.fa", "-o", tmp_path / name)
    assert "a name for a table, as NAME.tsv," in said


def test_a_device_or_pipe_is_no_output(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_text(">a\nACG\n")
    said = failure(capsys, "predict", run / "run" / "best", tmp_path / "a.fa", "-o", "/dev/null")
    assert "a regular file, got a device or pipe" in said


@pytest.mark.parametrize("words", [
    "evaluate ck data.csv --mixture m.csv --html x.html",
    "evaluate ck --mixture m.csv data.csv --html x.html",
    "evaluate --html x.html --mixture m.csv ck data.csv",
])  # fmt: skip
def test_files_stand_before_between_and_behind_options(words: str) -> None:
    found = vars(parser().parse_args(words.split()))
    assert [str(found[name]) for name in ("checkpoint", "input", "mixture", "html")] == [
        "ck", "data.csv", "m.csv", "x.html"]
    assert vars(parser().parse_args(["predict", "ck", "--bed", "b.bed", "--", "-odd.fa"]))["input"] == Path("-odd.fa")
    with pytest.raises(ConfigError, match=r"unrecognized arguments: more\.csv"):
        parser().parse_args([*words.split(), "more.csv"])
