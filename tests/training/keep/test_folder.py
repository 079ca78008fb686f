"""An existing run is never replaced unasked, and what a killed process left is put right."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.models.safetensors import pack
from gattn_tg.training.keep.folder import RunFolder
from gattn_tg.training.keep.state import Progress, read_state, write_state

LINE = {"kind": "train", "step": 1, "loss": 0.5, "examples_per_s": None}


def test_a_run_is_refused_replaced_and_resumed(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run").journal.note(LINE)
    with pytest.raises(ConfigError, match=r"run: expected a new or empty folder, got one that holds a run; resume"):
        RunFolder(tmp_path / "run")
    assert RunFolder(tmp_path / "run", "resume").journal.lines() == [LINE]
    assert RunFolder(tmp_path / "none", "resume").checkpoints.steps() == []  # it begins
    RunFolder(tmp_path / "run", "overwrite")
    assert [p.name for p in (tmp_path / "run").iterdir()] == [".lock"]


@pytest.mark.parametrize("mode", ["new", "overwrite", "resume"])
def test_other_files_are_never_touched(tmp_path: Path, mode: str) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(ConfigError, match=r"got one that holds 'thesis.doc'; choose another folder"):
        RunFolder(tmp_path, mode)  # type: ignore[arg-type]
    assert (tmp_path / "thesis.doc").read_text() == "years of work"
    with pytest.raises(ConfigError, match="a folder, but a file is there"):
        RunFolder(tmp_path / "thesis.doc", mode)  # type: ignore[arg-type]


def test_resumed_metrics_forget_what_comes_again_and_what_is_torn(tmp_path: Path) -> None:
    journal = RunFolder(tmp_path).journal
    journal.forget_after(0)
    for step in (1, 2, 3):
        journal.note({**LINE, "step": step})
    whole = journal.path.read_text().splitlines(keepends=True)
    with journal.path.open("a") as file:
        file.write('{"kind": "train", "step": 2')  # killed while writing
    assert journal.forget_after(2) == 0
    assert journal.path.read_text() == "".join(whole[:2])


@pytest.mark.parametrize("line", [
    "", "text", "[]", "7", "null", '{"step": 1}', '{"kind": "train"}', '{"kind": 7, "step": 1}',
    '{"kind": "valid", "step": 1}',
    '{"kind": "train", "step": "1"}', '{"kind": "train", "step": true}', '{"kind": "train", "step": 1.5}',
    '{"kind": "train", "step": 1, "loss": NaN}', '{"kind": "train", "step": 1, "loss": "0.5"}',
    '{"kind": "train", "step": 1, "loss": [0.5]}', '{"kind": "valid", "step": 1, "metrics": []}',
    '{"kind": "valid", "step": 1, "metrics": {"auc": "0.9"}}', '{"kind": "train", "step": 1, "step": 2}', "[" * 99_999,
    '{"kind": "train", "step": ' + "9" * 9999 + "}", "\0" * 40, "\udcff\udcfe",
], ids=range(22))  # fmt: skip
def test_lines_that_no_run_wrote_are_left_out_and_counted(tmp_path: Path, line: str) -> None:
    journal = RunFolder(tmp_path).journal
    journal.note(LINE)
    journal.path.write_bytes(journal.path.read_bytes() + f"{line}\n".encode("utf-8", "surrogateescape"))
    journal.note({**LINE, "step": 2})
    assert [x["step"] for x in journal.lines()] == [1, 2]
    assert journal.forget_after(2) == 1
    assert journal.forget_after(2) == 0
    assert [x["step"] for x in journal.lines()] == [1, 2]


def test_the_best_weights_are_always_there(tmp_path: Path) -> None:
    """Killed between the two renames, the old ones lie aside; killed before, a part does."""
    run = RunFolder(tmp_path)
    run.write_best(lambda folder: (folder / "a").write_text("one"))
    (tmp_path / "best").rename(tmp_path / "best.old")
    (tmp_path / "best.part").mkdir()
    again = RunFolder(tmp_path, "resume")
    assert (again.best / "a").read_text() == "one"
    again.write_best(lambda folder: (folder / "a").write_text("two"))
    assert (again.best / "a").read_text() == "two"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "best"]


STATE_FILE = pack({"steps": np.ones(1, np.float32)})


@pytest.mark.parametrize(("progress", "state"), [
    ("{", STATE_FILE), ("[]", STATE_FILE), ("{}", STATE_FILE[:-1]), ("{}", pack({"m": np.array([np.nan], np.float32)})),
    ('{"step": "1"}', STATE_FILE), ('{"step": -1}', STATE_FILE), ('{"step": true}', STATE_FILE),
    ('{"step": 1.5}', STATE_FILE), ('{"best": 0.5}', STATE_FILE), ('{"best": ["a", "b"]}', STATE_FILE),
    ('{"fingerprint": 7}', STATE_FILE), ('{"other": 7}', STATE_FILE), ('{"loss_sum": NaN}', STATE_FILE),
    ("[" * 99_999, STATE_FILE), ("", b""),
], ids=range(15))  # fmt: skip
def test_damaged_state(tmp_path: Path, progress: str, state: bytes) -> None:
    (tmp_path / "progress.json").write_text(progress)
    (tmp_path / "state.safetensors").write_bytes(state)
    with pytest.raises(FormatError, match=r"progress.json and state.safetensors of a run, but reading"):
        read_state(tmp_path)


@pytest.mark.parametrize("best", [None, [0.5, -0.25], [-math.inf, -math.inf]])
def test_a_state_is_read_as_it_was_written(tmp_path: Path, best: list[float] | None) -> None:
    """A metric that is not defined counts as minus infinity, which JSON does not have."""
    progress = Progress(step=7, best=best, loss_sum=-1.5, fingerprint="x")
    write_state(tmp_path, progress, {"steps": Tensor(np.ones(1, np.float32))})
    again, kept = read_state(tmp_path)
    assert again == progress
    np.testing.assert_array_equal(kept["steps"], [1.0])


HOLD = """
import sys, time
from gattn_tg.training.keep.folder import RunFolder
run = RunFolder(sys.argv[1], "resume")
print("held", flush=True)
time.sleep(60)
"""


def test_two_processes_never_write_into_one_folder(tmp_path: Path) -> None:
    """One line names who holds it; nothing is changed; a killed process holds nothing."""
    home = tmp_path / "run"
    with RunFolder(home) as run:
        run.journal.note(LINE)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for mode in ("resume", "overwrite"):
            told = rf"run: expected a folder that no other run writes to, got one that process {holder.pid} on "
            with pytest.raises(ConfigError, match=told):
                RunFolder(home, mode)
            assert RunFolder(home, "resume", own=False).journal.lines() == [LINE]  # readers are not kept out
    finally:
        holder.kill()
        holder.communicate()
    with RunFolder(home, "resume") as again:
        assert again.is_locked
        assert again.journal.lines() == [LINE]


def test_a_folder_that_is_closed_is_free(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run").close()
    code = "import sys; from gattn_tg.training.keep.folder import RunFolder; RunFolder(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], check=True)
