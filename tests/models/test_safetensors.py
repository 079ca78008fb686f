"""Bytes of the format: what other programs write and read, and damage."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from gattn_tg.errors import FormatError
from gattn_tg.models.safetensors import MAX_HEADER, pack, read_header, require_finite, unpack

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


def file_of(header: object, n_bytes: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(n_bytes)


def array(dtype: str = "I32", shape: Any = (2, 2), first: Any = 0, last: Any = 16, **more: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last], **more}


# The cases that the safetensors project refuses in its own tests and in its "attacks", and their neighbours.
REFUSED: dict[str, tuple[bytes, str]] = {
    "no byte": (b"", "a file of 0 bytes with none of the header"),
    "less than a length": (b"\x3c\0\0", "a file of 3 bytes with none of the header"),
    "length alone": (b"\x3c" + bytes(7), "a file of 8 bytes with a header of 60 bytes"),
    "header longer than the file": (b"\xe8\3" + bytes(6) + b"{}", "a header of 1,000 bytes"),
    "header of 2**64 - 1 bytes": (b"\xff" * 40, "a header of 18,446,744,073,709,551,615 bytes"),
    "not UTF-8": (file_of(b"{\xff}"), "does not parse"),
    "half a brace": (file_of(b"{"), "does not parse"),
    "an array": (file_of([]), "begins with b'\\['"),
    "blanks before the brace": (file_of(b"\t\n{}\r "), "begins with"),
    "two objects": (file_of(b"{}{}"), "does not parse"),
    "deep nesting": (file_of(b'{"a":' * 200_000), "nested too deeply"),
    "NaN": (file_of(b'{"a": NaN}'), "NaN is not a number of JSON"),
    "too few bytes for the shape": (file_of({"a": array(last=4)}, 4), "with 4 bytes where type and shape need 16"),
    "fewer bytes than said": (file_of({"a": array()}, 12), "12 bytes of arrays where the header has 16"),
    "bytes behind the end": (file_of({"a": array()}, 17), "17 bytes of arrays where the header has 16"),
    "bytes and no array": (file_of({}, 1), "1 bytes of arrays where the header has 0"),
    "shape of 2**65": (file_of({"a": array(shape=(2, 2**64 - 2))}, 16), "a whole number of 20 digits"),
    "shape of 2**63": (file_of({"a": array(shape=(2, 10**17))}, 16), "type and shape need 800,000,000,000,000,000"),
    "begins behind the start": (file_of({"a": array(first=4, last=20)}, 20), "a gap before 'a', .* at byte 4"),
    "a gap": (file_of({"a": array(), "b": array(first=20, last=36)}, 36), "a gap before 'b'"),
    "an overlap": (file_of({"a": array(), "b": array(first=12, last=28)}, 28), "an overlap at 'b'"),
    "one place for many": (file_of({f"a{i}": array() for i in range(9)}, 16), "an overlap at 'a1'"),
    "a name twice": (file_of(b'{"a": 1, "b": 2, "a": 3}'), "key 'a' comes twice"),
    "end before the start": (file_of({"a": array(first=16, last=0)}, 16), "with -16 bytes"),
    "an offset below 0": (file_of({"a": array(first=-16, last=0)}, 16), "not whole numbers from 0 up"),
    "an offset with a comma": (file_of({"a": array(last=16.0)}, 16), "not whole numbers from 0 up"),
    "an offset that is true": (file_of({"a": array("U8", (1,), 0, True)}, 1), "not whole numbers from 0 up"),
    "three offsets": (file_of({"a": {**array(), "data_offsets": [0, 8, 16]}}, 16), "not whole numbers from 0 up"),
    "an axis below 0": (file_of({"a": array(shape=(-2, -2))}, 16), "not whole numbers from 0 up"),
    "a shape of text": (file_of({"a": array(shape="22")}, 16), "not whole numbers from 0 up"),
    "99 axes": (file_of({"a": array(shape=(1,) * 99, last=4)}, 4), "not whole numbers from 0 up"),
    "no dtype": (file_of({"a": {"shape": [1], "data_offsets": [0, 1]}}, 1), "without exactly dtype, shape and"),
    "a field more": (file_of({"a": array(strides=(8, 4))}, 16), "without exactly dtype, shape and"),
    "an entry of text": (file_of({"a": "I32"}, 0), "without exactly dtype, shape and"),
    "an unknown dtype": (file_of({"a": array("I33")}, 16), "'a' of the unknown type 'I33'"),
    "a dtype that is a list": (file_of({"a": {**array(), "dtype": ["I32"]}}, 16), "unknown type"),
    "an eight-bit float": (file_of({"a": array("F8_E4M3")}, 4), "'a' of type F8_E4M3, which is not read here; convert"),
    "metadata of numbers": (file_of({"__metadata__": {"a": 1}}), "__metadata__ that is not text by name"),
    "metadata of no object": (file_of({"__metadata__": "a"}), "__metadata__ that is not text by name"),
    "half a letter in a name": (file_of(b'{"\\ud800": 1}'), "does not parse"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_whole_file_is_refused(case: str) -> None:
    data, told = REFUSED[case]
    with pytest.raises(FormatError, match=rf"^x(, header)?: .*{told}"):
        unpack(data, "x")


def test_a_header_over_the_limit_is_not_read() -> None:
    """The size that a file has is enough to refuse it: no byte of the header is looked at."""
    start = (MAX_HEADER + 1).to_bytes(8, "little")
    with pytest.raises(FormatError, match="a header of 100,000,001 bytes; a header has at most 100,000,000"):
        read_header(io.BytesIO(start), MAX_HEADER * 2, "x")


def test_what_the_format_allows_is_read() -> None:
    assert unpack(file_of(b"{}\r \t\n"), "x") == {}
    assert unpack(file_of({"a": array(shape=(2, 0), last=0)}), "x")["a"].shape == (2, 0)
    assert unpack(file_of({"a": array(shape=(), last=4)}, 4), "x")["a"].shape == ()
    both = {"b": array(last=4, shape=(1,)), "a": array(first=4, last=8, shape=(1,)), "__metadata__": {"k": "v"}}
    assert sorted(unpack(file_of(both, 8), "x")) == ["a", "b"]


@pytest.mark.parametrize("damage", [pack(ARRAYS)[:n] for n in (-1, 20, 7, 9)])
def test_a_file_cut_anywhere_is_refused(damage: bytes) -> None:
    with pytest.raises(FormatError, match=r"^x(, header)?: "):
        unpack(damage, "x")


def test_the_package_of_the_format_refuses_the_same() -> None:
    """But for more axes or fields than we read, and blanks before the brace, which the format forbids."""
    theirs = pytest.importorskip("safetensors", reason="the safetensors package is not installed")
    for case, (data, _) in REFUSED.items():
        try:
            theirs.deserialize(data)
            taken = True
        except theirs.SafetensorError:
            taken = False
        assert taken == (case in ("blanks before the brace", "99 axes", "a field more")), case


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_half_precision_is_read_exactly(dtype: str) -> None:
    """Every bit pattern; bfloat16 is the upper half of a float32."""
    bits = np.arange(2**16, dtype=np.uint16)
    data = file_of({"a": array(dtype, (2**8, 2**8), 0, 2**17)})
    found = unpack(data + bits.tobytes(), "x")["a"]
    want = (bits.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else bits.view(np.float16)
    np.testing.assert_array_equal(found, want.reshape(2**8, 2**8))


def test_numbers_that_are_not_finite_are_named_and_counted() -> None:
    arrays = {"a": np.ones(3, np.float32), "n": np.zeros(2, np.int64), "b": np.array([1, np.nan, -np.inf], np.float16)}
    with pytest.raises(FormatError, match="x: expected finite numbers, got 2 of 3 in 'b' that are NaN or infinite"):
        require_finite(arrays, "x")
    require_finite({"a": arrays["a"], "n": arrays["n"]}, "x")
