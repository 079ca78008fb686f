"""Imports beside the classes of transformers that wrote the files: at most twice as far from float64 as PyTorch is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign import BERT, ESM, HIDDEN, LAYERS, PLACES, WIDTH
from tinygrad import Tensor

from gattn_tg.models.imported.config import SPECIAL, ImportedConfig, words_of_bases
from gattn_tg.models.imported.encoder import ImportedEncoder
from gattn_tg.models.imported.reading import imported
from gattn_tg.models.imported.writing import Written, written
from gattn_tg.seq import encode

SIZES: dict[str, Any] = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2,
                         "intermediate_size": HIDDEN, "max_position_embeddings": PLACES}  # fmt: skip
EPS = 2.0**-23


@pytest.fixture(scope="module")
def classes() -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    pytest.importorskip("torch", reason="the originals need PyTorch")
    found = pytest.importorskip("transformers", reason="the originals are classes of transformers")
    found.utils.logging.disable_progress_bar()
    return found


def original(classes: Any, form: str) -> Any:
    """A model of random values everywhere, where new ones have ones and zeros."""
    import torch

    if form == "bert":
        model = classes.BertForMaskedLM(classes.BertConfig(vocab_size=len(BERT), **SIZES))
    else:
        esm = {"vocab_size": len(ESM), "pad_token_id": 1, "mask_token_id": 2, "layer_norm_eps": 1e-12, **SIZES}
        learned = form == "esm"
        model = classes.EsmForMaskedLM(classes.EsmConfig(
            position_embedding_type="absolute" if learned else "rotary", emb_layer_norm_before=learned,
            token_dropout=not learned, **esm))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * (0.2 if p.ndim == 1 else 0.05))
    return model.eval()


ROWS = ["".join(np.random.default_rng(1).choice(list("ACGT"), n)) for n in (60, 41, 8)]
FORMS = ["bert", "esm", "esm_rotary"]
QUIET = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def saved(model: Any, form: str, folder: Path) -> Path:
    import torch

    model.save_pretrained(folder, safe_serialization=True) if form != "bert" else torch.save(
        model.state_dict(), folder / "pytorch_model.bin")
    model.config.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(BERT if form == "bert" else ESM) + "\n")
    return folder


def require_equal(ours: ImportedEncoder, theirs: Any, tokens: list[str], is_masked: bool) -> None:
    """Hidden vectors and logits in rows of different lengths; `tokens` are the names of our rows."""
    import torch

    bases = np.full((3, 64), 4, np.uint8)
    for held, row in zip(bases, ROWS, strict=True):
        held[: len(row)] = encode(row)
    lengths = np.array([len(row) for row in ROWS], np.int32)
    hidden = np.zeros(bases.shape, bool)
    hidden[:, 4] = is_masked
    read = ours.read(Tensor(bases), Tensor(bases * 0), Tensor(lengths), Tensor(hidden))
    x = ours.of_tokens(read.ids, read.motif_ids, read.lengths)
    found = {"hidden": x.numpy(), "logits": ours.words_of(x).numpy()}
    order = np.array([tokens.index(token) for token in names(ours.config)])
    ids, mask = order[read.ids.numpy()], np.arange(read.ids.shape[1]) < read.lengths.numpy()[:, None]

    def outputs() -> dict[str, np.ndarray]:
        with torch.no_grad():
            out = theirs(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask.astype(np.int64)),
                         output_hidden_states=True)
        return {"hidden": out.hidden_states[-1].numpy(), "logits": out.logits.numpy()[..., order]}

    narrow = outputs()
    theirs.double()
    for name, true in outputs().items():
        error = np.abs(found[name][..., : true.shape[-1]] - true)[mask].max()
        allowed = 2 * np.abs(narrow[name] - true)[mask].max() + EPS * np.abs(true)[mask].max()
        assert error <= allowed, f"{name}: {error:.2e} where {allowed:.2e} is allowed"
    theirs.float()


def names(config: ImportedConfig) -> list[str]:
    """The tokens of our rows that have a meaning."""
    return [*words_of_bases(config.word_bp), *SPECIAL[config.words]]


@QUIET
@pytest.mark.parametrize("form", FORMS)
def test_read_and_written_back_a_model_is_the_original(classes: Any, form: str, tmp_path: Path) -> None:
    """Its hidden vectors and logits; then every weight and token of what transformers loads from our files."""
    model = original(classes, form)
    (tmp_path / "theirs").mkdir()
    found = imported(saved(model, form, tmp_path / "theirs"))
    vocabulary = BERT if form == "bert" else ESM
    require_equal(found.model, model, vocabulary, is_masked=True)
    put(written(found.model, found.extra), tmp_path / "ours")
    assert (tmp_path / "ours" / "vocab.txt").read_text().split() == vocabulary
    again = loaded(classes, tmp_path / "ours").state_dict()
    for name, x in model.state_dict().items():
        if name.endswith("inv_freq"):  # which they compute in float32
            np.testing.assert_allclose(again[name].numpy(), x.numpy(), rtol=2 * EPS)
        elif not name.startswith("esm.contact_head"):
            assert np.array_equal(again[name].numpy(), x.numpy()), name


@QUIET
@pytest.mark.parametrize("form", FORMS)
def test_a_model_that_learnt_on_is_written_with_words_in_an_order_of_its_own(
    classes: Any, form: str, tmp_path: Path
) -> None:
    """Nothing is known of the order in its origin; table and head are tied no more; the tokenizer finds the rows."""
    model = original(classes, form)
    ours = imported(saved(model, form, tmp_path)).model
    rng = np.random.default_rng(3)
    for x in (ours.words.weight, ours.to_words.weight):
        x.assign(Tensor(x.numpy() + 0.1 * rng.standard_normal(x.shape).astype(np.float32))).realize()
    put(written(ours, {}), tmp_path / "ours")
    tokens = (tmp_path / "ours" / "vocab.txt").read_text().split()
    require_equal(ours, loaded(classes, tmp_path / "ours"), tokens, is_masked=False)
    tokenizer = classes.AutoTokenizer.from_pretrained(tmp_path / "ours")
    row, theirs = "ACGTTA", (["[CLS]", "ACG", "CGT", "[SEP]"] if form == "bert" else ["<cls>", "ACG", "TTA"])
    text = "ACG CGT" if form == "bert" else row
    assert tokenizer(text)["input_ids"] == [tokens.index(token) for token in theirs]


def put(found: Written, folder: Path) -> None:
    folder.mkdir()
    for name, content in found.files.items():
        (folder / name).write_bytes(content)


def loaded(classes: Any, folder: Path) -> Any:
    """What transformers makes of a folder, with every weight from it."""
    model, told = classes.AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    missing = {name for name in told["missing_keys"] if "contact_head" not in name}
    assert not missing | set(told["unexpected_keys"])
    return model.eval()
