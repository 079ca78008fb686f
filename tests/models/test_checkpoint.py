"""Checkpoints: equal bytes, nothing lost, and every damage refused by name."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.models.safetensors import pack, unpack
from gattn_tg.motif import MotifVocabulary

CONFIG = ClassifierConfig(n_classes=2, width=16, n_layers=1, n_heads=2, motif="pair", stem_kernel=3)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return checkpoint.save(SequenceClassifier(CONFIG, seed=3), tmp_path / "best",
                           readout=ClassReadout(labels=("no", "yes")), vocabulary=MotifVocabulary.default(),
                           extra={"step": 7})


def test_save_load_save_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    loaded = checkpoint.load(saved)
    assert (loaded.labels, loaded.extra, loaded.config) == (("no", "yes"), {"step": 7}, CONFIG)
    assert loaded.vocabulary == MotifVocabulary.default()
    again = checkpoint.save(loaded.model, tmp_path / "again", readout=loaded.readout, vocabulary=loaded.vocabulary,
                            extra=loaded.extra)
    for name in (checkpoint.WEIGHTS, checkpoint.CONFIG):
        assert (again / name).read_bytes() == (saved / name).read_bytes()
    assert sorted(p.name for p in again.iterdir()) == ["config.json", "model.safetensors"]


def test_a_loaded_model_answers_as_before(saved: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = [Tensor(rng.integers(0, 4, (2, 9)).astype(np.uint8)), Tensor(rng.integers(0, 16, (2, 9)).astype(np.uint8)),
              Tensor(np.array([9, 5], np.int32))]
    before = SequenceClassifier(CONFIG, seed=3)(*inputs).numpy()
    np.testing.assert_array_equal(checkpoint.load(saved).model(*inputs).numpy(), before)


def test_saving_over_a_loaded_checkpoint_keeps_the_new_weights(saved: Path) -> None:
    loaded = checkpoint.load(saved)
    loaded.model.head.weight.assign(loaded.model.head.weight + 1.0)
    checkpoint.save(loaded.model, saved, readout=loaded.readout, vocabulary=loaded.vocabulary)
    want = SequenceClassifier(CONFIG, seed=3).head.weight.numpy() + 1.0
    np.testing.assert_array_equal(checkpoint.load(saved).model.head.weight.numpy(), want)


def test_other_programs_read_the_weights(saved: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="the safetensors package is not installed")
    theirs = safetensors.load_file(saved / checkpoint.WEIGHTS)
    ours = get_state_dict(checkpoint.load(saved).model)
    assert set(theirs) == set(ours)
    assert all(np.array_equal(theirs[name], ours[name].numpy()) for name in ours)


def edit(folder: Path, **changes: object) -> None:
    """Other values, as of a file that was written before it had a digest of its own."""
    path = folder / checkpoint.CONFIG
    told = {**json.loads(path.read_text()), **changes}
    told.pop(checkpoint.DIGEST, None)
    path.write_text(json.dumps(told))


@pytest.mark.parametrize("change", [
    lambda told: told["config"].pop("n_heads"), lambda told: told["config"].update(n_heads=1),
    lambda told: told["config"].update(rope_theta=500.0), lambda told: told["labels"].reverse(),
    lambda told: told.update(more=1), lambda told: told["extra"].clear(),
])  # fmt: skip
def test_a_configuration_that_was_changed_is_refused_even_where_the_weights_fit(
    saved: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """Number of heads, rotary base and order of labels are in no shape of a weight: another model would answer."""
    path = saved / checkpoint.CONFIG
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    for reader in (checkpoint.load, checkpoint.read, checkpoint.described):
        with pytest.raises(FormatError, match=r"expected the file as it was written, got one that was changed since"):
            reader(saved)


def test_a_configuration_may_be_laid_out_in_another_way(saved: Path) -> None:
    path = saved / checkpoint.CONFIG
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items())), indent=7))
    assert checkpoint.load(saved).config == CONFIG


def test_damage_is_refused_by_name(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"a checkpoint, a folder with config\.json and model\.safetensors, got"):
        checkpoint.load(tmp_path)
    whole = (saved / checkpoint.WEIGHTS).read_bytes()
    (saved / checkpoint.WEIGHTS).write_bytes(whole[:-10])
    with pytest.raises(FormatError, match=r"expected a whole safetensors file, got .* bytes of arrays where the head"):
        checkpoint.load(saved)
    (saved / checkpoint.WEIGHTS).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for reader in (checkpoint.load, checkpoint.read):
        with pytest.raises(FormatError, match="a file of another digest; it is truncated, changed, or from another"):
            reader(saved)
    (saved / checkpoint.WEIGHTS).write_bytes(whole)
    edit(saved, format=99)
    with pytest.raises(FormatError, match="expected checkpoint format 1, got 99; was it written by another"):
        checkpoint.load(saved)
    edit(saved, format=1, config={**json.loads(CONFIG.to_json()), "n_layers": 2})
    with pytest.raises(FormatError, match=r"expected weights of 'blocks\.1"):
        checkpoint.load(saved)
    edit(saved, config={**json.loads(CONFIG.to_json()), "width": 32})
    with pytest.raises(FormatError, match=r"expected .* of shape .*, got .* of different models"):
        checkpoint.load(saved)
    (saved / checkpoint.CONFIG).write_text("{")
    with pytest.raises(FormatError, match="expected JSON, but it does not parse"):
        checkpoint.load(saved)
    (saved / checkpoint.CONFIG).write_text('{"format": 1}')
    with pytest.raises(FormatError, match="expected config, labels, vocabulary, weights_sha256, got none of config"):
        checkpoint.load(saved)


def test_the_readout_survives_and_another_kind_is_refused(tmp_path: Path) -> None:
    readout = ClassReadout(labels=("no", "yes"))
    folder = checkpoint.save(SequenceClassifier(CONFIG), tmp_path / "best", readout=readout,
                             vocabulary=MotifVocabulary.default())
    loaded = checkpoint.load(folder, kind="SequenceClassifier")
    assert (loaded.readout, loaded.labels, loaded.vocabulary) == (readout, ("no", "yes"), MotifVocabulary.default())
    with pytest.raises(FormatError, match="expected a checkpoint of a GenomicGPT, got one of a Sequence"):
        checkpoint.load(folder, kind="GenomicGPT")
    edit(folder, model="Unheard")
    with pytest.raises(ConfigError, match=r"expected as kind of model one of SequenceClassifier.* got 'Unheard'"):
        checkpoint.load(folder)


def test_a_checkpoint_of_the_first_version_loads(saved: Path) -> None:
    old = {k: v for k, v in json.loads(CONFIG.to_json()).items() if k not in ("rope_scaling", "rope_factor")}
    edit(saved, config=old)
    assert checkpoint.load(saved).config == CONFIG


def change(folder: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Other weights, and the digest that belongs to them."""
    arrays = unpack((folder / checkpoint.WEIGHTS).read_bytes(), "x")
    change(arrays)
    replace_weights(folder, pack(arrays))


def replace_weights(folder: Path, data: bytes) -> None:
    (folder / checkpoint.WEIGHTS).write_bytes(data)
    edit(folder, weights_sha256=hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("name", ["blocks.0.attention.q_proj.weight", "blocks.0.attention.motif_bias", "head.bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(saved: Path, name: str, value: float) -> None:
    change(saved, lambda arrays: arrays[name].reshape(-1).__setitem__(slice(1, 2), value))
    for reader in (checkpoint.load, checkpoint.read):
        with pytest.raises(FormatError, match=rf"expected finite numbers, got 1 of \d+ in '{name}' that are NaN"):
            reader(saved)


def test_weights_too_large_for_float32_are_refused(saved: Path) -> None:
    change(saved, lambda arrays: arrays.update({"head.bias": np.array([0.0, 1e300])}))
    with pytest.raises(FormatError, match=r"expected finite numbers, got 1 of 2 in 'head.bias'"):
        checkpoint.load(saved)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F64"])
def test_weights_of_other_float_types_are_read(saved: Path, dtype: str) -> None:
    arrays = unpack((saved / checkpoint.WEIGHTS).read_bytes(), "x")
    rounded, header, pieces, end = {}, {}, [], 0
    for name, array in arrays.items():
        if dtype == "BF16":
            halves = (array.view(np.uint32) >> 16).astype(np.uint16)
            rounded[name], piece = (halves.astype(np.uint32) << 16).view(np.float32), halves.tobytes()
        else:
            other = array.astype({"F16": np.float16, "F64": np.float64}[dtype])
            rounded[name], piece = other.astype(np.float32), other.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [end, end := end + len(piece)]}
        pieces.append(piece)
    text = json.dumps(header).encode()
    replace_weights(saved, b"".join([len(text).to_bytes(8, "little"), text, *pieces]))
    loaded = get_state_dict(checkpoint.load(saved).model)
    for name, array in rounded.items():
        np.testing.assert_array_equal(loaded[name].numpy(), array)


def test_weights_that_are_no_floats_are_refused(saved: Path) -> None:
    change(saved, lambda arrays: arrays.update({"head.bias": np.array([0, 1])}))
    with pytest.raises(FormatError, match=r"expected weights of F64, F32, F16, BF16, got 'head.bias' of int64"):
        checkpoint.load(saved)


HUGE: dict[str, dict[str, Any]] = {
    "width": {"width": 65_536}, "the widest": {"width": 2**30, "n_heads": 2**15}, "layers": {"n_layers": 1_000},
    "classes": {"n_classes": 2**31 - 1}, "heads of tables": {"width": 2**16, "n_heads": 2**16, "per_head": True},
    "positions": {"positions": "learned", "max_length": 2**31 - 1}, "widening": {"mlp_ratio": 10**9},
    "kernel": {"stem_kernel": 10**9 + 1},
}  # fmt: skip


@pytest.mark.parametrize("sizes", HUGE.values(), ids=HUGE)
@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")
def test_sizes_are_compared_before_memory_is_taken(saved: Path, sizes: dict[str, Any]) -> None:
    edit(saved, config={**json.loads(CONFIG.to_json()), **sizes})
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), before[1]))
    try:
        with pytest.raises(FormatError, match="the configuration and the weights are of different models"):
            checkpoint.load(saved)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize(("changes", "told"), [
    ({"config": {**json.loads(CONFIG.to_json()), "width": 10**17}}, "width: expected an integer from -2147483647 to"),
    ({"config": {**json.loads(CONFIG.to_json()), "n_motifs": 257}}, "n_motifs: expected from 1 to 256, got 257"),
    ({"config": {**json.loads(CONFIG.to_json()), "dropout": "0.1"}}, "dropout: expected a number, got '0.1'"),
    ({"config": []}, "expected an object for config"),
    ({"config": None}, "expected an object for config"),
    ({"model": ["SequenceClassifier"]}, "expected text for model"),
    ({"weights_sha256": 7}, "expected text for weights_sha256"),
    ({"labels": "no"}, "expected an array of text for labels"),
    ({"labels": ["no", 7]}, "expected labels of different text"),
    ({"labels": ["no", "no"]}, "expected labels of different text"),
    ({"labels": ["no", "yes", "maybe"]}, "expected 2 labels, one for each class, got 3"),
    ({"labels": {"no": 0, "yes": 1}}, "expected an array of text for labels"),
    ({"vocabulary": 7}, "expected text for vocabulary"),
    ({"vocabulary": "x = " + "[" * 100_000}, "motif vocabulary: "),
    ({"vocabulary": "x = 1"}, "motif vocabulary: "),
    ({"extra": []}, "expected an object for extra"),
    ({"about": "x"}, "expected an object for about"),
    ({"about": {"labels": 3}}, "expected an array of text for labels"),
], ids=range(18))  # fmt: skip
def test_values_of_the_wrong_type_are_refused_in_one_line(saved: Path, changes: dict[str, Any], told: str) -> None:
    edit(saved, **changes)
    with pytest.raises((FormatError, ConfigError), match=told) as caught:
        checkpoint.load(saved)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(("text", "told"), [
    ("[" * 100_000, "nested too deeply"),
    ('{"format": ' + "9" * 5000 + "}", "a whole number of 5,000 digits"),
    ('{"format": 1, "format": 1}', "key 'format' comes twice"),
    ('{"format": Infinity}', "Infinity is not a number of JSON"),
    ('{"format": 1e999}', "the number 1e999 is too large"),
    ("\udcff", "does not parse"),
], ids=range(6))  # fmt: skip
def test_text_that_is_no_proper_json_is_refused(saved: Path, text: str, told: str) -> None:
    (saved / checkpoint.CONFIG).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FormatError, match=told):
        checkpoint.load(saved)


def test_saving_never_takes_the_place_of_something_else(saved: Path) -> None:
    (saved / "notes.txt").write_text("of a month")
    with pytest.raises(ConfigError, match=r"expected a new folder or one of a checkpoint, got one with 'notes.txt'"):
        checkpoint.save(SequenceClassifier(CONFIG), saved, readout=ClassReadout(labels=("a", "b")))
    assert (saved / "notes.txt").read_text() == "of a month"
