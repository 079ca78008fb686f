"""Event files: what TensorBoard would read, and the message when the package is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gattn_tg.errors import MissingExtraError
from gattn_tg.training.keep.folder import RunFolder

TRAIN = {"kind": "train", "step": 10, "epoch": 0.5, "loss": 0.7, "examples_per_s": None}
VALID = {"kind": "valid", "step": 20, "metrics": {"n": 9, "auc": 0.9, "mcc": None}, "is_best": True}


def test_lines_become_scalars(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter

    assert RecordWriter  # the format below is what it writes: length, checksum, bytes, checksum
    journal = RunFolder(tmp_path / "run").journal
    journal.also_events(tmp_path / "run" / "events", step=0)
    journal.note(TRAIN)
    journal.note(VALID)
    journal.sync()
    journal.close()
    (file,) = (tmp_path / "run" / "events").iterdir()
    data, found = file.read_bytes(), {}
    while data:
        size = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + size])
        data = data[16 + size :]
        found |= {(event.step, v.tag): v.simple_value for v in event.summary.value}
    assert found == pytest.approx({(10, "train/epoch"): 0.5, (10, "train/loss"): 0.7, (20, "valid/auc"): 0.9})
    assert [line["kind"] for line in journal.lines()] == ["train", "valid"]


def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    message = r'expected tensorboardX to write event files, .*; pip install "gattn_tg\[tensorboard\]", or set'
    with pytest.raises(MissingExtraError, match=message):
        RunFolder(tmp_path).journal.also_events(tmp_path / "events", step=0)
