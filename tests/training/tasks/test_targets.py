"""Targets of tracks (tests/cases/tracks): what is no count is refused by file, window and bin before any training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import FormatError
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.tasks.heads import Heads
from gattn_tg.training.tasks.tracks import targets_of

CASES = Path(__file__).resolve().parent.parent.parent / "cases" / "tracks"
ODD = {"a": None, "nan": np.nan, "inf": np.inf, "neg": -3.0}
PLACE = (5000, 5032)  # in the second window of w.bed, bin (5000 - 4096 - 512) // 32 = 12


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    folder = shutil.copytree(CASES, tmp_path_factory.mktemp("tracks") / "t")
    for name, odd in ODD.items():
        rows = [("chr1", at, at + 32, float(at % 7 + 1)) for at in range(0, 36_864, 32)]
        if odd is not None:
            rows = [(c, s, e, odd if PLACE[0] <= s < PLACE[1] else v) for c, s, e, v in rows]
        library.open(str(folder / f"{name}.bw"), "w").write({"chr1": 40_000, "chr2": 5_000}, iter(rows))
    return folder


def refusal(path: Path) -> str:
    with pytest.raises(FormatError) as told:
        Heads.from_config(TrainConfig.from_toml(path))
    return str(told.value)


@pytest.mark.parametrize("name", ["a", "nan"])
def test_counts_are_taken_and_a_base_without_one_counts_as_zero(name: str, home: Path) -> None:
    task = Heads.from_config(TrainConfig.from_toml(home / f"{name}.toml"))
    assert not isinstance(task, Heads)
    counts = targets_of(task.data.train)
    assert np.isfinite(counts).all()
    assert (counts.min() == 0) == (name == "nan")
    assert task.notes[0] == "train: 7 windows of 4,096 bases, 'train' in w.bed"


def test_infinite_and_negative_counts_are_refused_by_name_and_place(home: Path) -> None:
    assert "inf.bw, chr1:5" in (said := refusal(home / "inf.toml"))  # by the reader, which knows the base
    assert "expected a finite number, got inf" in said
    said = refusal(home / "neg.toml")
    assert "neg.bw: expected counts from 0 up as targets, but bin " in said
    assert "of the window chr1:4096-8192 has -" in said


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("window", [0, 8])  # of train and of valid
def test_arrays_are_looked_at_too(value: float, window: int, home: Path) -> None:
    targets = np.ones((9, 96, 2), np.float32)
    targets[window, 7, 1] = value
    np.savez(home / "t.npz", targets=targets)
    text = (home / "a.toml").read_text().replace("a.bw", "t.npz")
    (home / "npz.toml").write_text(text)
    assert f"bin 7 of the window chr1:{4096 * window}-{4096 * (window + 1)} has {value:g} in track 1" in refusal(
        home / "npz.toml"
    )
