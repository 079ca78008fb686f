"""Bytes of the format: what other programs write and read, and damage."""

from __future__ import annotations

import numpy as np
import pytest

from gattn_tg.errors import FormatError
from gattn_tg.models.safetensors import pack, unpack

ARRAYS = {
    "b.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array(2.5, np.float64),
    "steps": np.array([7], np.uint32),
    "none": np.zeros((0, 4), np.float16),
    "turned": np.arange(6, dtype=np.int32).reshape(2, 3).T,
}


def test_there_and_back_and_equal_bytes_in_any_order() -> None:
    data = pack(ARRAYS, {"format": "gattn_tg"})
    found = unpack(data, "x")
    assert sorted(found) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.owndata
    assert pack(dict(reversed(ARRAYS.items())), {"format": "gattn_tg"}) == data == pack(found, {"format": "gattn_tg"})


def test_the_package_of_the_format_reads_and_writes_the_same() -> None:
    theirs = pytest.importorskip("safetensors.numpy", reason="the safetensors package is not installed")
    solid = {name: np.ascontiguousarray(array) for name, array in ARRAYS.items()}
    for name, array in theirs.load(pack(ARRAYS)).items():
        np.testing.assert_array_equal(array, ARRAYS[name])
    for name, array in unpack(theirs.save(solid, {"a": "b"}), "x").items():
        np.testing.assert_array_equal(array, ARRAYS[name])


@pytest.mark.parametrize("damage", [b"", pack(ARRAYS)[:-1], pack(ARRAYS)[:20], b"\xff" * 40, b"\2\0\0\0\0\0\0\0[]"])
def test_damage_is_a_format_error(damage: bytes) -> None:
    with pytest.raises(FormatError, match="x: a whole safetensors file is required, but reading it failed"):
        unpack(damage, "x")
