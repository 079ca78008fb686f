"""Every tutorial runs on bundled data, and its page shows the code that ran."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).resolve().parent.parent / "examples" / "tutorials"
NAMES = sorted(path.stem for path in TUTORIALS.glob("*.py") if path.read_text(encoding="utf-8").startswith("# %%"))


@pytest.mark.parametrize("name", NAMES)
def test_a_tutorial_runs_and_its_page_shows_its_code(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(TUTORIALS))
    monkeypatch.chdir(tmp_path)
    weave = import_module("weave")
    kept = (TUTORIALS / "pages" / f"{name}.md").read_text(encoding="utf-8")
    drawn = []
    for cell, _, pictures in weave.run(TUTORIALS / f"{name}.py"):
        assert cell.source in kept, f"run `python examples/tutorials/weave.py {name}`"
        drawn += pictures
    assert all(f"({picture})" in kept and (TUTORIALS / "pages" / picture).is_file() for picture in drawn)
    assert not list(tmp_path.glob("*.svg")) or drawn
