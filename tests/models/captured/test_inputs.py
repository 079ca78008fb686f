"""From NumPy to tensors: names, devices, and memory that is written again."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor, TinyJit

from gattn_tg.data.batches import Batch
from gattn_tg.models.captured.inputs import Feed, to_tensors


def arrays(seed: int, rows: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "bases": rng.integers(0, 5, (rows, 7)).astype(np.uint8),
        "lengths": rng.integers(1, 8, rows).astype(np.int32),
        "valid": rng.integers(0, 2, rows).astype(bool),
        "targets": rng.random((rows, 3), np.float32),
    }


def test_a_batch_without_labels_has_label_0() -> None:
    a = arrays(0)
    tensors = to_tensors(Batch(a["bases"], a["bases"], a["lengths"], None, a["valid"]))
    assert list(tensors) == ["bases", "motif_ids", "lengths", "labels", "valid"]
    assert tensors["labels"].tolist() == [0] * 4
    np.testing.assert_array_equal(tensors["valid"].numpy(), a["valid"])


def test_rows_are_shared_out_over_devices() -> None:
    tensors = to_tensors(arrays(0), ("CPU:0", "CPU:1"))
    assert tensors["bases"].device == ("CPU", "CPU:1")
    np.testing.assert_array_equal(tensors["bases"].numpy(), arrays(0)["bases"])
    again = Feed(("CPU:0", "CPU:1"))
    for seed in (1, 2):
        np.testing.assert_array_equal(again(arrays(seed))["targets"].numpy(), arrays(seed)["targets"])


def test_a_feed_writes_the_same_memory_and_a_captured_step_sees_it() -> None:
    feed, one = Feed(), arrays(0)
    captured = TinyJit(lambda x: (x.cast("float") * 2).sum(1).realize())
    held = feed(one)["bases"]
    for seed in range(6):
        inputs = feed(arrays(seed))
        assert inputs["bases"] is held
        assert captured(inputs["bases"]).tolist() == (arrays(seed)["bases"].sum(1, dtype=float) * 2).tolist()
        for name, expected in arrays(seed).items():
            np.testing.assert_array_equal(inputs[name].numpy(), expected)
    np.testing.assert_array_equal(one["bases"], arrays(0)["bases"])  # what was given is not written to


def test_slots_live_beside_each_other_and_shapes_may_change() -> None:
    feed = Feed()
    first, second = feed(arrays(0), 0), feed(arrays(1), 1)
    np.testing.assert_array_equal(first["targets"].numpy(), arrays(0)["targets"])
    np.testing.assert_array_equal(second["targets"].numpy(), arrays(1)["targets"])
    wider = feed(arrays(2, rows=6))["targets"]
    np.testing.assert_array_equal(wider.numpy(), arrays(2, rows=6)["targets"])
    assert isinstance(wider, Tensor)
