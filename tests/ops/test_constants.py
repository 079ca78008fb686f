"""Constants that are kept for the life of a process are right whatever becomes of the call that made them first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.machine.recorded import recorded
from gattn_tg.models.imported.tracks.functions import functions_of_distance, values
from gattn_tg.nn.anchors import one_in
from gattn_tg.ops import constants
from gattn_tg.ops.attention.rope import Rope, cos_sin
from gattn_tg.ops.attention.slopes import alibi, alibi_slopes

DEVICES = ("CPU:0", "CPU:1")


def shared_out(device: str | tuple[str, ...]) -> Tensor:
    ids = Tensor(np.zeros((2, 33), np.uint8))
    return (ids.to(device) if isinstance(device, str) else ids.shard(device, 0)).realize()


# Every constant of the package, asked for in a way that no other test does, and what it must be.
def anchors(device: str | tuple[str, ...]) -> tuple[Tensor, np.ndarray]:
    return one_in(11, shared_out(device)), np.broadcast_to(np.arange(33) % 11 == 0, (2, 33))


def rotations(device: str | tuple[str, ...]) -> tuple[Tensor, np.ndarray]:
    rope = Rope(theta=777.0)
    places = Tensor.arange(33).unsqueeze(0)
    sine = cos_sin(rope, 6, places, device)[1]
    return sine, np.sin(np.arange(33)[:, None] * rope.frequencies(6))[None]


def slopes(device: str | tuple[str, ...]) -> tuple[Tensor, np.ndarray]:
    return alibi_slopes(device)(13) * 1.0, alibi(13)


def distances(device: str | tuple[str, ...]) -> tuple[Tensor, np.ndarray]:
    return functions_of_distance(device)("enformer", 18, 40, 7) * 1.0, values("enformer", 18, 40)[33:46]


@pytest.mark.parametrize("device", ["CPU", DEVICES], ids=["one device", "two devices"])
@pytest.mark.parametrize("asked", [anchors, rotations, slopes, distances])
def test_a_call_that_is_stopped_while_it_is_captured_leaves_no_wrong_constant(
    asked: Callable[[str | tuple[str, ...]], tuple[Tensor, np.ndarray]], device: str | tuple[str, ...]
) -> None:
    def stopped(x: Tensor) -> Tensor:
        (x + asked(device)[0].sum().to("CPU")).realize()
        raise KeyboardInterrupt

    x = Tensor([1.0])
    with pytest.raises(KeyboardInterrupt):
        recorded(stopped, [x])(x)
    found, wanted = asked(device)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


def test_a_constant_is_made_once() -> None:
    made = []

    @constants.on_device
    def ones(n: int) -> np.ndarray:
        made.append(n)
        return np.ones(n, np.float32)

    assert ones("CPU")(3) is ones("CPU")(3)
    assert ones("CPU")(4).shape == (4,)
    assert made == [3, 4]
