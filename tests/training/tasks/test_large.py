# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Data that scales: several tables, tables encoded on disk, rows read when they are asked for, the same bits as in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training import tiny

from gattn_tg.cli.main import main
from gattn_tg.data.mapped import MappedRows
from gattn_tg.errors import ConfigError, FormatError, GattnError
from gattn_tg.models.captured import strands
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks import sources
from gattn_tg.training.tasks.classify import Classify
from gattn_tg.training.tasks.registry import task_of

ROOT = Path(__file__).resolve().parent.parent.parent.parent
RNG = np.random.default_rng(4)
WORDS = ["".join(RNG.choice(list("ACGTN"), n, p=[0.25, 0.25, 0.24, 0.24, 0.02])) for n in RNG.integers(9, 31, 60)]
ROWS = [f"{word},{'ny'[k % 2]},{k / 7:.3f},{k % 3 % 2},{'.' * len(word)}" for k, word in enumerate(WORDS)]
ROWS += [ROWS[3], ROWS[8].replace(",n,", ",y,")]  # a copy, and one that contradicts
HEADER = "sequence,label,v,k,m"
TASKS = {
    "classes": ("", 'class_weights = "balanced"\n'),
    "labels": ("--task labels --label-columns k", 'task = "labels"\nlabel_columns = ["k"]\n'),
    "values": ("--task values --label-columns v", 'task = "values"\nlabel_columns = ["v"]\n'),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whole, cut into three, and encoded for every task."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "parts").mkdir()
    for name, rows in {"t": ROWS, "parts/b": ROWS[:20], "parts/a": ROWS[20:21], "parts/c": ROWS[21:]}.items():
        (folder / f"{name}.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    for task, (options, _) in TASKS.items():
        assert preprocess(folder / "t.csv", "-o", folder / task, *options.split()) == 0
    return folder


def preprocess(*arguments: object) -> int:
    return main(["preprocess", *map(str, arguments)])


def made(home: Path, train: object, data: str = "", **keys: str) -> Any:
    """The task of a configuration."""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in {"train": train, **keys}.items())
    text = f"[data]\n{lines}{data}[model]\nwidth = 8\nn_layers = 1\nn_heads = 2\n"
    (home / "r.toml").write_text(f"{text}[train]\nbatch_size = 8\nreverse_complement = true\n")
    return task_of(TrainConfig.from_toml(home / "r.toml"))


def arrays_of(task: Any) -> list[tuple[str, bytes]]:
    """All batches of two passes, what is validated and tested, and what is told of it."""
    steps = [task.batch(step, 0, 0, 1) for step in range(2 * task.steps_per_epoch)]
    found = [(name, array.tobytes()) for arrays in steps for name, array in arrays.items()]
    for data in (task.valid, task.held_out):
        whole = slice(0, len(data))
        found += [("held", (data.bases[whole].tobytes() + data.motif_ids[whole].tobytes() + task.truth(data).tobytes()))]
    return [*found, ("warnings", repr(task.warnings).encode()), ("counts", repr(task.counts).encode())]


def test_an_encoded_table_is_validated_on_both_strands_block_by_block(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strands, "BLOCK", 3)
    shares = f"valid_fraction = 0.2\ntest_fraction = 0.2\n{TASKS['classes'][1]}"
    one, other = made(home, "t.csv", shares), made(home, "classes", shares)
    assert isinstance(other.valid.bases, MappedRows)
    assert one.validate() == other.validate()


@pytest.mark.parametrize("name", TASKS)
def test_an_encoded_table_gives_the_bits_of_the_table(home: Path, name: str) -> None:
    shares = f"valid_fraction = 0.2\ntest_fraction = 0.2\n{TASKS[name][1]}"
    one, other = made(home, "t.csv", shares), made(home, name, shares)
    assert arrays_of(one) == arrays_of(other)
    assert isinstance(other.train.bases, MappedRows)
    assert not isinstance(one.train.bases, MappedRows)
    assert one.readout == other.readout
    assert other.fingerprint() == made(home, name, shares).fingerprint()
    assert other.fingerprint() != made(home, name, shares + "split_seed = 1\n").fingerprint()


def test_held_out_sets_may_be_encoded_or_not(home: Path) -> None:
    plain = made(home, "t.csv", valid="parts/c.csv", test="t.csv")
    mixed = made(home, "classes", valid="parts/c.csv", test="classes")
    assert arrays_of(plain) == arrays_of(mixed)
    assert any("41 of 41 sequences are also in train" in text for text in mixed.warnings)


@pytest.fixture
def listing_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that lists files in another order."""
    found = sources.glob.glob
    monkeypatch.setattr(sources.glob, "glob", lambda *a, **k: found(*a, **k)[::-1])


def test_several_tables_are_one(home: Path, listing_backwards: None) -> None:
    listed = made(home, ["parts/b.csv", "parts/a.csv", "parts/c.csv"], "valid_fraction = 0.2\ntest_fraction = 0.2\n")
    assert arrays_of(listed) == arrays_of(made(home, "t.csv", "valid_fraction = 0.2\ntest_fraction = 0.2\n"))
    assert "20% of parts/b.csv, parts/a.csv, parts/c.csv (valid_fraction" in listed.notes[1]
    by_name = made(home, ["parts/a.csv", "parts/b.csv", "parts/c.csv"], valid="t.csv")
    pattern = made(home, "parts/*.csv", valid="t.csv")
    assert pattern.train.bases.tobytes() == by_name.train.bases.tobytes()
    assert preprocess(*(home / f"parts/{name}.csv" for name in "bac"), "-o", home / "joined", "--json") == 0
    for name in ("bases.u8", "motifs.u8", "rows.bin", "table.json"):
        assert (home / "joined" / name).read_bytes() == (home / "classes" / name).read_bytes()


def test_classes_of_several_tables_are_those_of_all(home: Path) -> None:
    for name, label in {"p": "10", "q": "9", "z": "09"}.items():
        (home / f"{name}.csv").write_text("sequence,label\n" + "".join(f"{w},{label}\n" for w in WORDS[:20]))
    assert made(home, ["p.csv", "q.csv"], valid="p.csv").train.label_names == ("9", "10")
    with pytest.raises(FormatError, match="got '09' and '9'; they would be two classes"):
        made(home, ["p.csv", "q.csv", "z.csv"], valid="p.csv")


@pytest.mark.parametrize(
    ("train", "data", "text"),
    [
        (["t.csv", "no.csv"], "", "train: expected an existing file, got 'no.csv'"),
        ("no*.csv", "", "train: expected files that match 'no*.csv', got none in"),
        (["t.csv", "./t.csv"], "", "train: expected each file once, got"),
        (["t.csv", "classes"], "", "train: expected tables, or one folder of gattn preprocess, got 2 names with the folder"),
        ([], "", "train: expected at least one file, each with a name, got []"),
        (["t.csv", ""], "", "train: expected at least one file, each with a name"),
        ("classes", 'label_column = "k"\n', "expected a table of which 'k' was read as label, got 'label'; preprocess again, or name"),
        ("classes", TASKS["values"][1], "expected a table of which no column was read as label, got 'label'"),
        ("values", 'task = "labels"\nlabel_columns = ["v"]\n', "expected 0 or 1 in each cell of v, got 0.143; correct"),
        ("classes", "max_length = 12\n", "classes, sequence 1: expected at most 12 bases, got"),
        ("classes", 'vocabulary = "v.toml"\n', "train: expected motif ids of the vocabulary of this run, got those of another"),
        ("classes", 'state_column = "m"\nvocabulary = "methylation"\n', "expected a table of which 'm' was read as states, got no column"),
        ("parts", "", "train: expected an existing file, got 'parts'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(home: Path, train: object, data: str, text: str) -> None:
    vocabulary = tiny.VOCABULARY.to_toml()
    (home / "v.toml").write_text(vocabulary[: vocabulary.rindex("[[")])
    with pytest.raises(GattnError) as told:
        made(home, train, data)
    assert text in str(told.value)


def test_each_of_two_processes_reads_its_own_rows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[int]] = []
    read = MappedRows.__getitem__

    def noted(rows: MappedRows, which: Any) -> Any:
        asked[-1] |= {*rows.starts[which].tolist()}
        return read(rows, which)

    task = made(home, "classes", valid="parts/c.csv")
    two = Classify(task.model, task.train, task.valid, task.vocabulary, task.settings, choices=task.choices, n_ranks=2)
    monkeypatch.setattr(MappedRows, "__getitem__", noted)
    for rank in (0, 1):
        asked.append(set())
        for step in range(two.steps_per_epoch):
            arrays = two.batch(step, 0, rank, 2)
            assert arrays["bases"].shape == (8, task.train.width)
        two.fingerprint()  # reads no sequence
    fill = {int(task.train.bases.starts[0])}  # rows that fill up the last batch are copies of the first
    assert not (asked[0] - fill) & (asked[1] - fill)
    assert asked[0] | asked[1] == {*task.train.bases.starts.tolist()}


def test_damage_is_told_and_nothing_is_replaced_unasked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = home / "damaged"
    assert preprocess(home / "t.csv", "-o", copy) == 0
    whole = {path.name: path.read_bytes() for path in copy.iterdir()}
    for name, content, text in (
        ("bases.u8", b"\x07" * len(whole["bases.u8"]), "bases.u8: expected ids from 0 to 4, got 7"),
        ("motifs.u8", b"\xff" * len(whole["motifs.u8"]), "motifs.u8: expected ids from 0 to 15, got 255"),
        ("bases.u8", whole["bases.u8"][:-1], f"bases.u8: expected {len(whole['bases.u8'])} bytes, got"),
        ("rows.bin", whole["rows.bin"][:16] + b"\xff" * (len(whole["rows.bin"]) - 16), "rows.bin: expected lengths and labels"),
        ("table.json", b"{}", "table.json: expected what was read of a table"),
        ("table.json", whole["table.json"].replace(b"table 2", b"table 9"), "table.json: expected format"),
    ):
        (copy / name).write_bytes(content)
        with pytest.raises(FormatError) as told:
            made(home, "damaged", valid="t.csv").batch(0, 0, 0, 1)
        assert text in str(told.value)
        (copy / name).write_bytes(whole[name])
    (home / "broken.csv").write_text(f"{HEADER}\n{ROWS[0]}\nACGX,n,1,1,....\n")
    other = home / "other"
    other.mkdir()
    (other / "notes.txt").write_text("keep")
    capsys.readouterr()
    for arguments, text in (
        ([home / "t.csv", "-o", copy], "expected a new folder, got one that exists"),
        ([home / "t.csv", "-o", home, "--overwrite"], "expected an output of its own, got the folder of the input"),
        ([home / "t.csv", "-o", other, "--overwrite"], "a folder with table.json to be replaced, got one that holds something else"),
        ([home / "t.csv", home / "broken.csv", "-o", copy, "--overwrite"], "broken.csv, line 3, sequence, column 4: expected nucleotide"),
        ([home / "t.csv", "-o", copy, "--no-motifs"], "--no-motifs: expected a genome for it, got a table"),
        ([home / "t.csv", "-o", copy, "--task", "values"], "--label-columns with --task labels or values"),
        ([home / "t.csv", "-o", copy, "--task", "labels", "--label-columns", "v", "--overwrite"], "line 3, column 'v': expected 0 or 1, got '0.143'"),
        ([home / "t.csv", "-o", copy, "--state-column", "m"], "--state-column together with a vocabulary"),
    ):
        assert preprocess(*arguments) == 2
        assert text in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == whole
    assert not [path for path in home.iterdir() if path.name.endswith(".tmp")]


def test_measured_states_are_encoded_with_their_motif_ids(home: Path) -> None:
    cells = [row.split(",")[:4] for row in ROWS]
    marked = [",".join([*some, "".join("1" if base == "C" else "." for base in some[0])]) for some in cells]
    (home / "m.csv").write_text("\n".join([HEADER, *marked]) + "\n")
    assert preprocess(home / "m.csv", "-o", home / "states", "--state-column", "m", "--vocab", "methylation") == 0
    keys = 'state_column = "m"\nvalid_fraction = 0.2\ntest_fraction = 0.2\n'
    assert arrays_of(made(home, "m.csv", keys + 'vocabulary = "methylation"\n')) == arrays_of(made(home, "states", keys))


def test_a_class_that_train_does_not_have_is_refused(home: Path) -> None:
    (home / "n.csv").write_text("\n".join([HEADER, *(row.replace(",n,", ",x,") for row in ROWS)]) + "\n")
    assert preprocess(home / "n.csv", "-o", home / "n") == 0
    with pytest.raises(ConfigError, match="expected labels n, y, got x; correct"):
        made(home, "t.csv", valid="n")


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from bench.models.large_data import held, table
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks.registry import task_of

home, margin = Path(sys.argv[1]), int(sys.argv[2])
table(home / "small", 80, 2000)
table(home / "large", 10 * margin // 4000 + 1, 2000)
task_of(TrainConfig.from_toml(home / "small.toml")).batch(0, 0, 0, 1)
resource.setrlimit(resource.RLIMIT_DATA, (held() + margin,) * 2)
task = task_of(TrainConfig.from_toml(home / "large.toml"))
for step in range(20):
    assert task.batch(step, 0, 0, 1)["bases"].shape == (64, 2000)
task.fingerprint()
try:
    np.ones(2 * margin, np.uint8)
except MemoryError:
    print(len(task.train) * 2 * 2000 / margin)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA is a limit of Linux")
def test_a_data_set_ten_times_the_memory_is_learnt_from(tmp_path: Path) -> None:
    margin = 24 << 20
    for name in ("small", "large"):
        text = f'[data]\ntrain = "{name}"\nvalid = "small"\n[model]\nwidth = 8\nn_layers = 1\nn_heads = 2\n'
        (tmp_path / f"{name}.toml").write_text(text + "[train]\nreverse_complement = true\n")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(margin)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) >= 10  # and the limit holds: an array of two margins could not be had
