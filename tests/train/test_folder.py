"""An existing run is never replaced unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.train.folder import RunFolder
from gattn_tg.train.state import load_state


def test_a_run_is_refused_replaced_and_resumed(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run").note({"epoch": 1})
    with pytest.raises(ConfigError, match=r"run: a new or empty folder is required, but it holds a run; add --resume"):
        RunFolder(tmp_path / "run")
    with pytest.raises(
        ConfigError, match=r"last/progress.json of an earlier run is required to resume, but is missing"
    ):
        RunFolder(tmp_path / "run", "resume")
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


def test_resumed_metrics_forget_what_comes_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.forget_after(0)
    for epoch in (1, 2, 3):
        run.note({"epoch": epoch})
    run.forget_after(2)
    assert run.metrics.read_text() == '{"epoch": 1}\n{"epoch": 2}\n'


def test_damaged_state(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text("{")
    with pytest.raises(FormatError, match=r"progress.json and optimizer.safetensors of a run are required"):
        load_state(tmp_path)
