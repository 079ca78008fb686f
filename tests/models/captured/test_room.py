"""What cannot fit into memory is refused before it is taken, with the batch that would fit."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor
from training import tiny

from gattn_tg.errors import ConfigError
from gattn_tg.machine import memory
from gattn_tg.models.captured import room
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.gpt import GPTConfig
from gattn_tg.models.kinds import KINDS
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.tasks.registry import task_of

SHAPE = ClassifierConfig(n_classes=2, width=64, n_layers=2, n_heads=4, mlp_ratio=2)


@pytest.mark.parametrize("is_training", [False, True])
def test_the_size_that_is_named_fits(is_training: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda: 2**30)
    row = 4 * SHAPE.least_floats(512, is_training=is_training)
    room.require_room(SHAPE, (2**30 // row, 512), "CPU", is_training=is_training)
    with pytest.raises(ConfigError) as raised:
        room.require_room(SHAPE, (2**30 // row + 1, 512), "CPU:1", is_training=is_training)
    found = re.fullmatch(
        r"memory: expected what fits the 1.0 GiB of memory that are free, got [\d,]+ rows of 512 positions, which take "
        r"at least 1.0 GiB; take a batch size of (\d+)", str(raised.value),
    )  # fmt: skip
    assert found
    assert 2**30 // 6 // row < int(found[1]) <= 2**30 // 3 // row
    room.require_room(SHAPE, (int(found[1]), 512), "CPU", is_training=is_training)
    room.require_room(SHAPE, (10**9, 512), "CUDA")  # whose memory is not known here
    with pytest.raises(ConfigError, match="shorten them, or take a smaller model"):
        room.require_room(SHAPE, (2, 10**9), "CPU", is_training=is_training)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_has_an_estimate(kind) -> None:  # type: ignore[no-untyped-def]
    needed = {"n_classes": 2} if kind.name.endswith("Classifier") else {}
    config = kind.config(**needed, **({"heads": (("a", 1),)} if kind.name.endswith(("TrackModel", "Tracks")) else {}))
    learning, asked = (config.least_floats(4096, is_training=x) for x in (True, False))
    assert learning > asked > 4096
    deep = replace(config, n_layers=8)
    kept, again = (deep.least_floats(4096, is_training=True, recomputes=x) for x in (False, True))
    assert kept > again > deep.least_floats(4096, is_training=False)


def test_a_batch_that_fits_only_computed_again_is_learnt_from_with_recompute(monkeypatch: pytest.MonkeyPatch) -> None:
    shape, rows = replace(tiny.MODEL, n_layers=4), tiny.SETTINGS.batch_size
    needed = [4 * rows * shape.least_floats(tiny.LENGTH, is_training=True, recomputes=x) for x in (True, False)]
    monkeypatch.setattr(room, "free_bytes", lambda: sum(needed) // 2)
    settings = replace(tiny.SETTINGS, steps=1)
    with pytest.raises(ConfigError, match="memory: expected what fits"):
        Fit(tiny.task(settings, shape), settings).run()
    settings = replace(settings, recompute=True)
    assert Fit(tiny.task(settings, shape), settings).run().step == 1


def test_a_megabase_needs_no_more_than_its_pieces() -> None:
    config = GPTConfig.preset("long")
    kept, again = (config.least_floats(2**20, is_training=True, recomputes=x) for x in (False, True))
    assert (4 * kept, 4 * again) == (24 * 2**30, 4 * 2**30)  # a step was measured to take 7.7 GiB with recompute


def test_rows_of_an_answer_are_no_more_than_needed() -> None:
    seen: list[int] = []

    def model(x: Tensor) -> Tensor:
        seen.append(int(x.shape[0]))
        return x.float() * 2

    forward = Forward(model, 10**9)
    x = np.arange(10, dtype=np.uint8).reshape(5, 2)
    for _ in range(3):
        np.testing.assert_array_equal(forward(x), 2.0 * x)
        np.testing.assert_array_equal(forward(x[:3]), 2.0 * x[:3])
    assert set(seen) == {8}
    few = Forward(model, 4)
    np.testing.assert_array_equal(few(x), 2.0 * x)
    assert set(seen) == {8, 4}


def test_a_batch_that_cannot_fit_is_refused_by_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda: 10_000)
    x = np.zeros((9, 32), np.uint8)
    with pytest.raises(ConfigError, match="got 16 rows of 32 positions, which take at least"):
        Forward(SequenceClassifier(SHAPE), 128, "CPU")(x, x, np.full(9, 32, np.int32))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("[model]\nwidth = 2147483644", r"\[model\]: expected what fits .*, got [\d,]+ weights, which take at least"),
        ("[model]\nmlp_ratio = 2147483647", "take a smaller model"),
        ("[model]\nstem_kernel = 2147483647", "take a smaller model"),
        ("[model]\nn_layers = 2147483647", "n_layers: expected from 1 to 1000, got 2147483647"),
        ("max_length = 2147483647", r"\[data\]: .* got 1,000 sequences of max_length 2,147,483,647,"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_fit_is_refused_before_memory_is_taken(line: str, what: str, tmp_path: Path) -> None:
    rows = [f"{''.join('ACGT'[i // 4**k % 4] for k in range(5))},{i % 2}" for i in range(1000)]
    (tmp_path / "t.csv").write_text("sequence,label\n" + "\n".join(rows) + "\n")
    (tmp_path / "run.toml").write_text(f'[data]\ntrain = "t.csv"\n{line}\n')
    with pytest.raises(ConfigError, match=what):
        task_of(TrainConfig.from_toml(tmp_path / "run.toml"))


def test_free_memory_is_the_least_of_what_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    (tmp_path / "max").write_text("3000\n")
    (tmp_path / "used").write_text("1000\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "LIMITS", ())
    monkeypatch.setattr(memory, "_of_process", lambda: None)
    assert memory.free_bytes() == 5000 * 1024
    monkeypatch.setattr(memory, "LIMITS", ((tmp_path / "max", tmp_path / "used"),))
    assert memory.free_bytes() == 2000
    (tmp_path / "max").write_text("max\n")
    assert memory.free_bytes() == 5000 * 1024
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    assert memory.free_bytes() is None
