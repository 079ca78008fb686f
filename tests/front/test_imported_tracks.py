"""Models of tracks of other projects, imported and asked: bins of a quarter of a token, in files and reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign_tracks import DEPTH, FORMS, KEPT_BP

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import FormatError, UnsupportedError
from gattn_tg.front.trained import Trained
from gattn_tg.front.why.subjects import subject_of
from gattn_tg.io import Record
from gattn_tg.models import checkpoint
from gattn_tg.seq import decode
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.start import take_over
from gattn_tg.training.tasks.registry import task_of

FORM = FORMS["borzoi"]
CROP = (FORM.window_bp - KEPT_BP) // 2
IDS = np.random.default_rng(8).integers(0, 4, 2 * KEPT_BP).astype(np.uint8)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks")
    FORM.write(folder / "files")
    (folder / "g.fa").write_text(f">chr1\n{decode(IDS)}\n")
    call = ["import", str(folder / "files"), "-o", str(folder / "borzoi"), "--window", str(FORM.window_bp)]
    assert main(call) == 0
    return folder


@pytest.fixture(scope="module")
def model(home: Path) -> Trained:
    return gattn_tg.load(home / "borzoi")


def counts(ids: np.ndarray, first: int, head: str, dtype: Any) -> np.ndarray:
    """Tracks of the window whose inner part begins at a base; beyond the sequence there is N."""
    wide = np.pad(ids, CROP + KEPT_BP, constant_values=4)[KEPT_BP + first :][: FORM.window_bp]
    return FORM.outputs(np.eye(5)[wide][:, :4], dtype=dtype)[head]


def test_predict_writes_every_bin_of_a_head_as_the_original_computes_it(home: Path, tmp_path: Path) -> None:
    """At most twice as far from the definition in float64 as the definition in float32 is."""
    out = tmp_path / "p.npz"
    call = ["predict", str(home / "borzoi"), str(home / "g.fa"), "-o", str(out), "--head", "mouse"]
    assert main([*call, "--tracks", "mouse_2,mouse_0", "--batch-size", "1"]) == 0
    truth, plain = (np.concatenate([counts(IDS, first, "mouse", dtype) for first in (0, KEPT_BP)])[:, [2, 0]]
                    for dtype in (np.float64, np.float32))  # fmt: skip
    with np.load(out) as kept:
        assert (kept["bin_bp"].item(), kept["tracks"].tolist()) == (4, ["mouse_2", "mouse_0"])
        assert kept["values"].shape == truth.shape == (2 * KEPT_BP // 4, 2)
        error = np.abs(kept["values"] - truth).max()
    assert error <= 2 * np.abs(plain - truth).max() + 2.0**-23 * truth.max()


def test_what_is_explained_is_the_sum_of_the_bins_of_a_stretch(model: Trained) -> None:
    """In bins, not in tokens, and behind the crop."""
    subject = subject_of(model.asked, [Record("x", decode(IDS[:KEPT_BP]))], "human_3", (9, 14), "human",
                         [(CROP, CROP + KEPT_BP)], 4)  # fmt: skip
    wanted = subject.wanted.reshape(KEPT_BP // FORM.bin_bp, 5)
    assert np.argwhere(wanted).tolist() == [[2, 3], [3, 3]]
    assert subject.asked.bases.shape == (1, FORM.window_bp)


def test_a_longer_sequence_than_distances_are_known_for_is_refused(model: Trained) -> None:
    longest = model.config.longest_bp
    assert longest == 4096 * FORM.token_bp
    with pytest.raises(FormatError, match=f"at most {longest} bases"):
        model.embed(["A" * (longest + 1)])


def test_a_run_on_an_import_takes_all_but_the_heads_over(home: Path, tmp_path: Path) -> None:
    """Sizes and functions come from the checkpoint, also in shorter windows; its licence goes on."""
    rng = np.random.default_rng(1)
    (tmp_path / "g.fa").write_text(f">c\n{decode(rng.integers(0, 4, 600).astype(np.uint8))}\n")
    parts = ["train", "train", "train", "train", "valid", "valid"]
    (tmp_path / "w.bed").write_text("".join(f"c\t{96 * i}\t{96 * i + 96}\t{part}\n" for i, part in enumerate(parts)))
    np.savez(tmp_path / "t.npz", targets=rng.poisson(3, (6, 16, 2)).astype(np.float32))
    (tmp_path / "c.toml").write_text(
        '[data]\ngenome = "g.fa"\nwindows = "w.bed"\ntargets = ["t.npz"]\nhead = "mine"\n'
        '[model]\nkind = "ImportedTracks"\ncrop_bp = 16\nmotif = "key"\n[train]\nbatch_size = 2\n'
    )
    told = checkpoint.described(home / "borzoi")
    task = task_of(TrainConfig.from_toml(tmp_path / "c.toml").beginning_with(told))
    c = task.model.config
    assert (c.heads, c.functions, c.stage_widths, c.crop_bp) == ((("mine", 2),), "borzoi", FORM.widths[1:], 16)
    assert task.batch(0, 0, 0, 1)["targets"].shape == (2, 16, 2)
    start = take_over(task.model, home / "borzoi", task.vocabulary)
    new = {"heads.mine.weight", "heads.mine.bias", *(f"blocks.{i}.attention.motif_bias" for i in range(DEPTH))}
    assert (set(start.new), start.other_shape) == (new, ())
    assert start.origin["licence"] == told["extra"]["licence"]
    assert start.origin["licence"].endswith("cc-by-4.0")


def test_what_such_a_model_has_no_answer_to_is_refused_in_one_line(
    home: Path, model: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for call, text in (
        (["convert", str(home / "borzoi"), "-o", str(tmp_path / "x")], "for which transformers has no class"),
        (["generate", str(home / "borzoi"), "-o", str(tmp_path / "x")], "only a model that predicts the next base"),
        (["predict", str(home / "borzoi"), str(home / "g.fa"), "-o", str(tmp_path / "x.tsv"), "--head", "rat"],
         "expected a head named human or mouse, got 'rat'"),
        (["import", str(home / "files"), "-o", str(tmp_path / "x"), "--window", "100"], "of 16 bases, got 100"),
    ):  # fmt: skip
        assert main(call) == 2
        assert text in capsys.readouterr().err
        assert not list(tmp_path.iterdir())
    with pytest.raises(UnsupportedError, match="it was trained without motif bias"):
        model.motif_table()


def test_import_says_heads_windows_and_bins(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["import", str(home / "files"), "-o", str(tmp_path / "x"), "--window", str(FORM.window_bp), "--json"]
    assert main(call) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["family"], told["heads"], told["bin_bp"]) == ("Borzoi", {"human": 5, "mouse": 3}, 4)
    assert told["window_bp"] == FORM.window_bp
    assert told["licence"].endswith("cc-by-4.0")
