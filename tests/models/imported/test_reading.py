"""Encoders of other projects: what is computed is what the originals compute; every weight is accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign import ESM, FORMS, LAYERS, PLACES, WIDTH, Form
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, FormatError, UnsupportedError
from gattn_tg.models.imported.encoder import ImportedEncoder
from gattn_tg.models.imported.reading import Imported, imported
from gattn_tg.models.imported.tokens import Tokens, n_tokens, places_of
from gattn_tg.models.safetensors import pack
from gattn_tg.seq import encode

RNG = np.random.default_rng(3)
LONG = "".join(RNG.choice(list("ACGT"), 40))
ROWS = [LONG[:17] + "N" + LONG[18:], LONG[:20] + "NN" + LONG[22:31], LONG[:8]]  # of different lengths, padded
N = 64


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Imported]:
    folder = tmp_path_factory.mktemp("foreign")
    return {name: imported(form.write(folder / name)) for name, form in FORMS.items()}


def batch(model: ImportedEncoder) -> tuple[Tensor, Tensor, Tensor]:
    """Bases as the model is given them, motif ids and lengths of the rows."""
    bases = np.full((len(ROWS), N), 4, np.uint8)
    for held, row in zip(bases, ROWS, strict=True):
        held[: len(row)] = encode(row)
    lengths = np.array([len(row) for row in ROWS], np.int32)
    return Tensor(model.encoded(bases, lengths)), Tensor(np.zeros_like(bases)), Tensor(lengths)


def told(found: Imported, read: Tokens, row: int) -> list[str]:
    """The tokens of a row, by name."""
    return [found.row_names[i] for i in read.ids.numpy()[row][: int(read.lengths.numpy()[row])]]


@pytest.mark.parametrize("name", ["bert", "nt1", "mosaic"])  # nt2 has the tokens of nt1; its vectors: in the front
def test_tokens_and_hidden_vectors_and_logits_are_those_of_the_original(models: dict[str, Imported], name: str) -> None:
    """In rows of different lengths, with N, against the definition in float64."""
    form, model = FORMS[name], models[name].model
    read = model.read(*batch(model))
    x = model.of_tokens(read.ids, read.motif_ids, read.lengths)
    hidden, logits = x.numpy(), model.words_of(x).numpy()
    tokens = models[name].extra["tokens"]
    assert tokens == form.vocabulary
    counts = n_tokens(model.config, batch(model)[0].numpy(), batch(model)[2].numpy())
    for i, row in enumerate(ROWS):
        words = form.words(row)
        assert told(models[name], read, i) == words
        assert counts[i] == len(words)
        true_hidden, true_logits = form.outputs(words)
        n = len(words)
        assert np.abs(hidden[i, :n] - true_hidden).max() < 3e-6 * np.abs(true_hidden).max()
        rows = [form.vocabulary.index(token) for token in models[name].row_names]
        assert np.abs(logits[i, :n] - true_logits[:, rows]).max() < 3e-6 * np.abs(true_logits).max()


@pytest.mark.parametrize("name", ["bert"])  # blocks and pairs: where vectors are asked for, in the tests of the front
def test_every_base_has_the_vector_of_a_word_that_holds_it(models: dict[str, Imported], name: str) -> None:
    form, model = FORMS[name], models[name].model
    found = model.hidden(*batch(model)).numpy()
    for i, row in enumerate(ROWS):
        true, _ = form.outputs(form.words(row))
        assert np.abs(found[i, : len(row)] - true[form.of_bases(row)]).max() < 3e-6 * np.abs(true).max()


@pytest.mark.parametrize("name", ["bert", "nt1"])
def test_a_hidden_base_is_named_by_the_masked_words_that_agree_with_the_others(
    models: dict[str, Imported], name: str
) -> None:
    form, model = FORMS[name], models[name].model
    bases, ids, lengths = batch(model)
    places = np.array([[9, 25], [30, 28], [7, 7]])  # of the third row the last base, a single one
    got = model(bases, ids, lengths, Tensor(places.astype(np.int32))).numpy()
    mask = "[MASK]" if form.is_bert else "<mask>"
    for i, row in enumerate(ROWS):
        words, start = form.words(row), 0
        spans = []  # of each word
        for j, word in enumerate(words):
            begins = j - 1 if form.is_bert else start
            is_frame = word in ("[CLS]", "[SEP]", "<cls>")
            width = 0 if is_frame else 3 if form.is_bert else len(word)
            spans.append((begins, begins + width))
            start += width
        hidden = [mask if any(a <= p < b for p in places[i]) else word
                  for word, (a, b) in zip(words, spans, strict=True)]
        _, logits = form.outputs(hidden)
        for p, answer in zip(places[i], got[i], strict=True):
            j = min(max(p - 1, 0), len(row) - 3) + 1 if form.is_bert else next(
                j for j, (a, b) in enumerate(spans) if a <= p < b)
            a, b = spans[j]
            want = np.zeros(4)
            for word, z in zip(form.vocabulary, logits[j], strict=True):
                agrees = len(word) == b - a and set(word) <= set("ACGT") and all(
                    x in places[i] or row[x] == "N" or word[x - a] == row[x] for x in range(a, b))
                if agrees:
                    want["ACGT".index(word[p - a])] += np.exp(z)
            found = np.exp(answer - answer.max())
            np.testing.assert_allclose(found / found.sum(), want / want.sum(), atol=2e-6)


def changed(form: Form, tmp_path: Path, change: Any) -> Path:
    weights = form.weights()
    change(weights)
    return form.write(tmp_path / "m", weights)


@pytest.mark.parametrize(("name", "change", "text"), [
    ("bert", lambda w: w.pop("bert.encoder.layer.1.output.dense.bias"),
     r"expected a weight 'bert.encoder.layer.1.output.dense.bias' of shape \(32,\), got none"),
    ("nt1", lambda w: w.pop("lm_head.dense.weight"), "expected a weight 'lm_head.dense.weight' of shape"),
    ("bert", lambda w: w.pop("bert.embeddings.word_embeddings.weight"), "word_embeddings.weight', got none"),
    ("nt2", lambda w: w.update({"esm.encoder.layer.2.attention.self.key.bias": np.zeros(3, np.float32)}),
     r"of 2 layers, got also 'esm.encoder.layer.2.attention.self.key.bias' of shape \(3,\), which has no place"),
    ("bert", lambda w: w.update({"cls.predictions.bias": np.zeros(9, np.float32)}),
     r"expected 'cls.predictions.bias' of shape \(69,\), got \(9,\)"),
    ("bert", lambda w: w.update({"cls.predictions.decoder.bias": np.zeros(69, np.float32)}),
     "expected equal values in 'cls.predictions.bias' and 'cls.predictions.decoder.bias'"),
    ("nt2", lambda w: w.update({"esm.encoder.layer.0.output.dense.bias": np.zeros(WIDTH, np.float32)}),
     "'esm.encoder.layer.1.output.dense.bias' of shape"),
    ("nt1", lambda w: w.update({"lm_head.dense.weight": np.full((WIDTH, WIDTH), np.nan, np.float32)}),
     "expected finite numbers, got 1,024 of 1,024 in 'lm_head.dense.weight'"),
    ("bert", lambda w: w.update({"bert.encoder.layer.0.attention.self.Wqkv.weight": np.zeros((96, 32), np.float32)}),
     r"expected weights of a MosaicBERT \(DNABERT-2\) of 2 layers, got also 'bert.embeddings.position"),
    ("bert", lambda w: w.clear() or w.update({"h.0.attn.weight": np.zeros(3, np.float32)}), "got others; this form is"),
    ("mosaic", lambda w: w.update({"bert.encoder.layer.1.attention.self.Wqkv.bias": np.zeros(95, np.float32)}),
     "expected rows of 3 equal parts in 'bert.encoder.layer.1.attention.self.Wqkv.bias', got shape"),
    ("mosaic", lambda w: w.pop("bert.encoder.layer.0.mlp.wo.weight"), "layer.0.mlp.wo.weight' of two axes, got none"),
    ("bert", lambda w: w.pop("bert.embeddings.position_embeddings.weight"), "position_embeddings.weight' of shape"),
    ("nt1", lambda w: w.pop("esm.embeddings.position_embeddings.weight"), "position_embeddings.weight' of shape"),
])  # fmt: skip
def test_a_weight_that_is_missing_left_over_or_of_another_shape_is_named(
    name: str, change: Any, text: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=text):
        imported(changed(FORMS[name], tmp_path, change))


@pytest.mark.parametrize(("name", "files", "text"), [
    ("bert", {"config.json": None}, "expected a file config.json, got none"),
    ("bert", {"config.json": "[]"}, "config.json: expected an object"),
    ("bert", {"vocab.txt": None}, "expected vocab.txt or tokenizer.json, got neither"),
    ("bert", {"vocab.txt": "AAA\nAAA\n"}, "expected every token once, got 'AAA' twice"),
    ("bert", {"vocab.txt": "the\nof\n"}, "expected a vocabulary of all words of k bases"),
    ("nt1", {"vocab.txt": "\n".join(t for t in ESM if t != "ACG")}, "got one without 'ACG'"),
    ("nt1", {"vocab.txt": "\n".join([*ESM, "one", "more"])}, "of the 75 rows of the table of words, got row 76"),
    ("mosaic", {"tokenizer.json": json.dumps({"model": {"vocab": {"A": 0}, "merges": []}})}, "without '.PAD.'"),
    ("mosaic", {"tokenizer.json": json.dumps({"model": {"vocab": {"A": 0}, "merges": ["AA"]}})}, "pairs of words"),
    ("mosaic", {"tokenizer.json": json.dumps({"model": {"type": "Unigram", "vocab": [["A", 0.5]]}})}, "another kind"),
    ("bert", {"model.safetensors": None}, "expected weights in model.safetensors or pytorch_model.bin"),
    ("bert", {"model.safetensors": "xx"}, "expected a whole safetensors file"),
    ("bert", {"model.safetensors": None, "model.safetensors.index.json": json.dumps({"weight_map": {"a": "../b"}})},
     "expected files beside the index, got '../b'"),
])  # fmt: skip
def test_a_file_that_is_missing_or_of_another_kind_is_named(
    name: str, files: dict[str, str | None], text: str, tmp_path: Path
) -> None:
    folder = FORMS[name].write(tmp_path / "m")
    for file, content in files.items():
        if content is None:
            (folder / file).unlink()
        else:
            (folder / file).write_text(content)
    with pytest.raises(FormatError, match=text):
        imported(folder)


@pytest.mark.parametrize(("change", "text"), [
    ({"hidden_act": "relu"}, "expected hidden_act to be 'gelu', got 'relu', which is not computed here"),
    ({"position_embedding_type": "relative_key"}, "expected position_embedding_type to be 'absolute'"),
    ({"num_attention_heads": "2"}, "expected a whole number for num_attention_heads, got '2'"),
    ({"num_attention_heads": 3}, "config.json: ImportedConfig width: expected a multiple of n_heads = 3"),
])  # fmt: skip
def test_a_choice_that_is_not_computed_here_is_refused(change: dict[str, Any], text: str, tmp_path: Path) -> None:
    folder = FORMS["bert"].write(tmp_path / "m")
    (folder / "config.json").write_text(json.dumps({**FORMS["bert"].config, **change}))
    with pytest.raises((ConfigError, FormatError), match=text):
        imported(folder)


def test_half_precision_in_several_files_is_read_as_one_file_would_be(tmp_path: Path) -> None:
    form = FORMS["nt1"]
    halves = {name: x.astype(np.float16) for name, x in form.weights().items()}
    folder = form.write(tmp_path / "m")
    whole = imported(form.write(tmp_path / "whole", {name: x.astype(np.float32) for name, x in halves.items()}))
    (folder / "model.safetensors").unlink()
    names = sorted(halves)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, held in parts.items():
        (folder / file).write_bytes(pack({name: halves[name] for name in held}))
    index = {"weight_map": {name: file for file, held in parts.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    found = imported(folder)
    from tinygrad.nn.state import get_state_dict

    for (name, x), (_, y) in zip(get_state_dict(found.model).items(), get_state_dict(whole.model).items(), strict=True):
        assert np.array_equal(x.numpy(), y.numpy()), name
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(FormatError, match=r"expected a file model-00002-of-00002.safetensors, got none"):
        imported(folder)


def test_sequences_beyond_the_positions_or_too_short_or_full_of_n_are_refused(models: dict[str, Imported]) -> None:
    bert, nt1, nt2 = (models[name].model for name in ("bert", "nt1", "nt2"))
    assert (bert.config.longest_bp, nt1.config.longest_bp, nt2.config.longest_bp) == (PLACES, 3 * (PLACES - 3), None)
    with pytest.raises(FormatError, match="at most 70 tokens, for which it has learned positions, got one of 71"):
        bert.encoded(np.zeros((1, 71), np.uint8))
    with pytest.raises(FormatError, match="at least 3 bases, which make one word, got 2"):
        bert.encoded(np.zeros((1, 9), np.uint8), np.array([2]))
    full = np.zeros((2, 60), np.uint8)
    nt2.encoded(full)
    full[1, 3:-3] = 4
    assert n_tokens(nt2.config, full, np.array([60, 60])).tolist() == [21, 57]
    assert places_of(nt2.config, 60) == 39
    with pytest.raises(FormatError, match="at most 39 tokens of 60 bases, got 57, since every N is a token"):
        nt2.encoded(full)


def test_words_of_byte_pair_encoding_are_refused_where_they_do_not_work(models: dict[str, Imported]) -> None:
    model = models["mosaic"].model
    bases = np.zeros((1, 60), np.uint8)
    with pytest.raises(UnsupportedError, match="expected which of them begins at each base, got bases"):
        model.hidden(Tensor(bases), Tensor(bases))
    with pytest.raises(UnsupportedError, match="hidden bases: expected words of a fixed number of bases"):
        model(Tensor(model.encoded(bases)), Tensor(bases), Tensor([60]), Tensor([[1]]))
    with pytest.raises(FormatError, match="at most 40 tokens of 60 bases, got 62, since every N is a token"):
        model.encoded(bases + 4)


def test_layers_that_are_left_out_are_said(tmp_path: Path) -> None:
    extra = {"bert.pooler.dense.weight": np.zeros((WIDTH, WIDTH), np.float32)}
    found = imported(FORMS["bert"].write(tmp_path / "m", {**FORMS["bert"].weights(), **extra}))
    assert found.unused == ("bert.pooler.dense.weight",)
    assert found.model.config.n_layers == LAYERS
