"""An existing run is never replaced unasked, and what a killed process left is put right."""

from __future__ import annotations

from pathlib import Path

import pytest

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.train.keep.folder import RunFolder
from gattn_tg.train.keep.state import read_state


def test_a_run_is_refused_replaced_and_resumed(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run").journal.note({"step": 1})
    with pytest.raises(ConfigError, match=r"run: a new or empty folder is required, but it holds a run; add --resume"):
        RunFolder(tmp_path / "run")
    assert RunFolder(tmp_path / "run", "resume").journal.lines() == [{"step": 1}]
    assert RunFolder(tmp_path / "none", "resume").checkpoints.steps() == []  # it begins
    RunFolder(tmp_path / "run", "overwrite")
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize("mode", ["new", "overwrite", "resume"])
def test_other_files_are_never_touched(tmp_path: Path, mode: str) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(ConfigError, match=r"but it holds 'thesis.doc'; choose another folder"):
        RunFolder(tmp_path, mode)  # type: ignore[arg-type]
    assert (tmp_path / "thesis.doc").read_text() == "years of work"
    with pytest.raises(ConfigError, match="a folder is required, but a file is there"):
        RunFolder(tmp_path / "thesis.doc", mode)  # type: ignore[arg-type]


def test_resumed_metrics_forget_what_comes_again_and_what_is_torn(tmp_path: Path) -> None:
    journal = RunFolder(tmp_path).journal
    journal.forget_after(0)
    for step in (1, 2, 3):
        journal.note({"step": step})
    with journal.path.open("a") as file:
        file.write('{"step": 2, "lo')  # killed while writing
    journal.forget_after(2)
    assert journal.path.read_text() == '{"step": 1}\n{"step": 2}\n'


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
    assert [p.name for p in tmp_path.iterdir()] == ["best"]


def test_damaged_state(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text("{")
    with pytest.raises(FormatError, match=r"progress.json and state.safetensors of a run are required, but reading"):
        read_state(tmp_path)
