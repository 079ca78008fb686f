"""A step: micro-batches, dropout after kill and resume, bfloat16 with float32 masters, mean weights, two devices."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor, dtypes
from tinygrad.helpers import Context
from tinygrad.nn.state import get_state_dict
from training import tiny
from training.loop.rank import MODEL, RATE, Steps, Values

from gattn_tg.errors import ConfigError
from gattn_tg.models.captured.inputs import to_tensors
from gattn_tg.nn.block import Block
from gattn_tg.training.loop.communicator import Alone
from gattn_tg.training.loop.fit import Fit
from gattn_tg.training.loop.step import Step

ROOT = Path(__file__).resolve().parents[3]
DEVICES = ("CPU:0", "CPU:1")
NO_GRADIENT = "pool.score.bias"  # softmax does not see it: its gradient is rounding, which AdamW scales up to the rate
LATER = """
import sys
import numpy as np
from gattn_tg.training.loop.communicator import Alone
from training.loop.rank import Steps
steps = Steps(Alone())
steps.restore(dict(np.load(sys.argv[1])))
steps.run(3, 6)
np.savez(sys.argv[2], **steps.values())
"""


Whole = tuple[list[tuple[float, float]], Values, Values]


@pytest.fixture(scope="module")
def whole() -> Whole:
    """Six steps with dropout: losses, what there was after three, what there is after six."""
    steps = Steps(Alone())
    losses = steps.run(0, 3)
    kept = steps.values()
    return losses + steps.run(3, 6), kept, steps.values()


def differing(a: Values, b: Values) -> list[str]:
    assert sorted(a) == sorted(b)
    return [name for name in a if a[name].tobytes() != b[name].tobytes()]


def test_a_fresh_process_goes_on_bit_for_bit(whole: Whole, tmp_path: Path) -> None:
    """Moments, powers, step number, mean weights and the masks of dropout are all in the state."""
    _, kept, end = whole
    np.savez(tmp_path / "kept.npz", **kept)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    subprocess.run(
        [sys.executable, "-c", LATER, str(tmp_path / "kept.npz"), str(tmp_path / "end.npz")],
        env={**os.environ, "PYTHONPATH": path, "DEV": "CPU"}, check=True, timeout=240,
    )  # fmt: skip
    assert differing(dict(np.load(tmp_path / "end.npz")), end) == []


def test_dropout_differs_from_step_to_step(whole: Whole) -> None:
    steps = Steps(Alone())
    steps.step.done.assign(Tensor(np.array([7], np.uint32), device=steps.step.device)).realize()
    assert steps.run(0, 1)[0] != whole[0][0]


def test_micro_batches_are_one_batch(whole: Whole) -> None:
    """The same rows at once or in two halves: the same masks, and sums that differ by rounding."""
    halves = Steps(Alone(), accumulate=2)
    np.testing.assert_allclose(halves.run(0, 6), whole[0], rtol=1e-5)
    for name, x in halves.values().items():
        if NO_GRADIENT not in name:
            np.testing.assert_allclose(x, whole[2][name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_mean_weights_follow(whole: Whole) -> None:
    """The mean of the first steps forgets the initial weights quickly: decay (1 + t) / (10 + t), then 0.9."""
    steps = Steps(Alone())
    mean = steps.values()["head.weight"].astype(np.float64)
    for i in range(3):
        steps.run(i, i + 1)
        decay = min((2 + i) / (11 + i), 0.9)
        mean = decay * mean + (1 - decay) * steps.values()["head.weight"]
    averaged = steps.step.averaged()
    assert averaged is not None
    np.testing.assert_allclose(averaged["head.weight"].numpy(), mean, rtol=1e-5, atol=1e-7)


def test_bfloat16_with_float32_masters(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks see bfloat16; losses are within 1% of float32, gradient norms within 5%; small updates count."""
    seen = set()
    call = Block.__call__

    def watched(self: Block, x: Tensor, *args: object, **more: object) -> Tensor:
        y = call(self, x, *args, **more)  # type: ignore[arg-type]
        seen.update((x.dtype, y.dtype))
        return y

    monkeypatch.setattr(Block, "__call__", watched)
    steps = Steps(Alone(), precision="bfloat16")
    narrow = np.array(steps.run(0, 6))
    assert seen == {dtypes.bfloat16}
    assert np.isfinite(narrow).all()
    np.testing.assert_allclose(narrow[:, 0], np.array(whole[0])[:, 0], rtol=1e-2)
    np.testing.assert_allclose(narrow[:, 1], np.array(whole[0])[:, 1], rtol=5e-2)
    values = steps.values()
    assert all(p.dtype == dtypes.float32 for p in steps.parameters.values())
    assert all(np.isfinite(x).all() for x in values.values())
    # a rate of a hundredth of bfloat16's spacing: the masters move, what bfloat16 keeps of them does not
    before = values["blocks.0.mlp.up.weight"]
    with Context(TRAINING=1):
        steps.step([to_tensors(steps.task.batch(6, 0, 0, 1))], 1e-6)
    after = steps.values()["blocks.0.mlp.up.weight"]
    assert 0 < np.abs(after - before).max() < 1e-5


def test_two_devices_are_one(whole: Whole) -> None:
    """Weights on both, rows shared out; dropout, motif table, embeddings and norms included."""
    task = tiny.task(replace(tiny.SETTINGS, ema_decay=0.9), MODEL)
    parameters = get_state_dict(task.model)
    for p in parameters.values():
        p.shard_(DEVICES)
    step = Step(task.loss, parameters, task.settings)
    with Context(TRAINING=1):
        losses = [step([to_tensors(task.batch(i, 0, 0, 1), DEVICES)], RATE) for i in range(3)]
    np.testing.assert_allclose(losses, whole[0][:3], rtol=1e-5)
    kept = step.state() | parameters
    assert sorted(kept) == sorted(whole[1])
    for name, x in kept.items():
        assert isinstance(x.device, tuple), name
        if NO_GRADIENT not in name:
            np.testing.assert_allclose(x.numpy(), whole[1][name], rtol=1e-4, atol=1e-5, err_msg=name)
    step.restore(whole[1])
    assert differing({n: x.numpy() for n, x in step.state().items()}, {n: whole[1][n] for n in step.state()}) == []


def test_rows_must_divide_among_devices() -> None:
    with pytest.raises(ConfigError) as raised:
        Fit(tiny.task(), replace(tiny.SETTINGS, batch_size=7), device=DEVICES)
    assert str(raised.value) == (
        "train: [train] batch_size: expected a multiple of the 2 devices, got 7; take 8"
    )
