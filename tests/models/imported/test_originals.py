"""Imports beside the classes of transformers that wrote the files: at most twice as far from float64 as PyTorch is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign import BERT, ESM, HIDDEN, LAYERS, PLACES, WIDTH
from tinygrad import Tensor

from gattn_tg.models.imported.reading import imported
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


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("form", ["bert", "esm", "esm_rotary"])
def test_hidden_vectors_and_logits_in_rows_of_different_lengths(classes: Any, form: str, tmp_path: Path) -> None:
    import torch

    model, vocabulary = original(classes, form), BERT if form == "bert" else ESM
    model.save_pretrained(tmp_path, safe_serialization=True) if form != "bert" else torch.save(
        model.state_dict(), tmp_path / "pytorch_model.bin")
    model.config.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    found = imported(tmp_path)
    rng = np.random.default_rng(1)
    rows = ["".join(rng.choice(list("ACGT"), n)) for n in (60, 41, 8)]
    bases = np.full((3, 64), 4, np.uint8)
    for held, row in zip(bases, rows, strict=True):
        held[: len(row)] = encode(row)
    lengths = np.array([len(row) for row in rows], np.int32)
    hidden = np.zeros(bases.shape, bool)
    hidden[:, 4] = True
    read = found.model.read(Tensor(bases), Tensor(bases * 0), Tensor(lengths), Tensor(hidden))
    x = found.model.of_tokens(read.ids, read.motif_ids, read.lengths)
    ours = {"hidden": x.numpy(), "logits": found.model.words_of(x).numpy()}

    order = np.array([vocabulary.index(token) for token in found.row_names])
    ids, mask = order[read.ids.numpy()], np.arange(read.ids.shape[1]) < read.lengths.numpy()[:, None]

    def theirs() -> dict[str, np.ndarray]:
        with torch.no_grad():
            out = model(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask.astype(np.int64)),
                        output_hidden_states=True)
        return {"hidden": out.hidden_states[-1].numpy(), "logits": out.logits.numpy()[..., order]}

    narrow = theirs()
    model.double()
    for name, true in theirs().items():
        error = np.abs(ours[name] - true)[mask].max()
        allowed = 2 * np.abs(narrow[name] - true)[mask].max() + EPS * np.abs(true)[mask].max()
        assert error <= allowed, f"{name}: {error:.2e} where {allowed:.2e} is allowed"
