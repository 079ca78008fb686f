"""Weights that PyTorch saved, read without it: the values are those of the file, and nothing in a file is ever run."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gattn_tg.errors import FormatError
from gattn_tg.models.imported.pickled import MAGIC, unpickle

MATRIX = np.arange(12, dtype=np.float32).reshape(3, 4)


class Call:
    """Pickled as a call of a function by name."""

    def __init__(self, name: str, *arguments: Any) -> None:
        self.name, self.arguments = name, arguments


class Pid:
    """A storage of a kind, with a key and a number of elements."""

    def __init__(self, kind: str, key: str, size: int) -> None:
        self.pid = ("storage", Global(f"torch.{kind}"), key, "cpu", size)


class Global:
    def __init__(self, name: str) -> None:
        self.name = name


class Writer(pickle._Pickler):  # type: ignore[name-defined]
    """Writes the opcodes that PyTorch's names need, without having PyTorch."""

    def persistent_id(self, x: Any) -> Any:
        return x.pid if isinstance(x, Pid) else None

    def save(self, x: Any, save_persistent_id: bool = True) -> None:
        if isinstance(x, Global):
            module, name = x.name.rsplit(".", 1)
            self.write(f"c{module}\n{name}\n".encode())
        elif isinstance(x, Call):
            self.save(Global(x.name))
            self.save(x.arguments)
            self.write(b"R")
        else:
            super().save(x, save_persistent_id)


def pickled(x: Any) -> bytes:
    file = io.BytesIO()
    Writer(file, 2).dump(x)
    return file.getvalue()


def tensor(kind: str, key: str, size: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Call:
    return Call("torch._utils._rebuild_tensor_v2", Pid(kind, key, size), offset, shape, strides, False, OrderedDict())


def archive(state: Any, storages: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("m/data.pkl", pickled(state))
        packed.writestr("m/byteorder", "little")
        for key, data in storages.items():
            packed.writestr(f"m/data/{key}", data)
    return file.getvalue()


def plain(**changes: Any) -> bytes:
    told = {"kind": "FloatStorage", "key": "0", "size": 12, "offset": 0, "shape": (3, 4), "strides": (4, 1), **changes}
    return archive({"w": tensor(**told)}, {"0": MATRIX.tobytes()})


def test_views_of_one_storage_and_all_types_are_read() -> None:
    half = MATRIX.astype(np.float16)
    bits = (MATRIX.view(np.uint32) >> 16).astype(np.uint16)
    found = unpickle(archive(OrderedDict(
        w=tensor("FloatStorage", "0", 12, 0, (3, 4), (4, 1)), turned=tensor("FloatStorage", "0", 12, 0, (4, 3), (1, 4)),
        row=Call("torch._utils._rebuild_parameter", tensor("FloatStorage", "0", 12, 4, (4,), (1,)), True, {}),
        half=tensor("HalfStorage", "1", 12, 0, (3, 4), (4, 1)), b=tensor("BFloat16Storage", "2", 12, 0, (12,), (1,)),
        n=tensor("LongStorage", "3", 1, 0, (), ()), no_tensor=3,
    ), {"0": MATRIX.tobytes(), "1": half.tobytes(), "2": bits.tobytes(), "3": struct.pack("<q", 7)}), "w.bin")
    assert sorted(found) == ["b", "half", "n", "row", "turned", "w"]
    assert np.array_equal(found["w"], MATRIX)
    assert np.array_equal(found["turned"], MATRIX.T)
    assert np.array_equal(found["row"], MATRIX[1])
    assert np.array_equal(found["half"], half)
    assert np.array_equal(found["b"], MATRIX.ravel())
    assert found["n"] == 7


def test_the_form_before_archives_is_read() -> None:
    state = {"state_dict": {"w": tensor("FloatStorage", "a", 12, 0, (3, 4), (4, 1))}}
    raw = struct.pack("<q", 12) + MATRIX.tobytes()
    data = b"".join(map(pickled, (MAGIC, 1001, {"little_endian": True}, state, ["a"]))) + raw
    assert np.array_equal(unpickle(data, "w.bin")["w"], MATRIX)


@pytest.mark.parametrize("evil", [
    Call("os.system", "touch hacked"), Call("builtins.eval", "open('hacked', 'w')"), Call("torch.load", "x"),
    Call("builtins.getattr", 1, "x"), {"w": Call("posix.system", "touch hacked")}, Global("subprocess.Popen"),
    Call("torch._utils._rebuild_tensor_v2.__globals__", 1), Call("collections.OrderedDict.update", {}),
])  # fmt: skip
@pytest.mark.parametrize("form", ["archive", "stream"])
def test_a_file_that_asks_for_anything_else_is_refused_and_nothing_of_it_is_run(
    evil: Any, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = archive(evil, {}) if form == "archive" else pickled(evil)
    with pytest.raises(FormatError, match=r"got a pickle that asks for .*nothing of it was run"):
        unpickle(data, "w.bin")
    assert os.listdir() == []


@pytest.mark.parametrize(("data", "text"), [
    (b"", "expected weights that PyTorch saved"), (b"\x80\x02K\x01.", "got another file"),
    (plain()[:90], "expected weights that PyTorch saved"),
    (archive([1], {}), "expected tensors by name, got list"),
    (plain(shape=(3, 5)), "expected 13 numbers in its memory, got 12"),
    (plain(shape=(1 << 40, 4), strides=(0, 1)), "a number of its own for each of 4,398,046,511,104 elements, got 12"),
    (plain(offset=-4), "expected a shape and steps from 0 up"), (plain(strides=(4, -1)), "steps from 0 up"),
    (plain(strides=(4,)), "steps from 0 up"), (plain(key="9"), "cannot be read"),
    (plain(kind="Fake"), "asks for 'torch.Fake'"),
    (plain(shape=("3", 4)), "cannot be read"),
], ids=range(12))  # a name of the bytes would hold the time of their archive  # fmt: skip
def test_a_damaged_file_gets_one_clear_error(data: bytes, text: str) -> None:
    with pytest.raises(FormatError, match=text):
        unpickle(data, "w.bin")
