"""An encoder as the files that the classes of transformers load: configuration, vocabulary, weights by their names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import UnsupportedError
from gattn_tg.models.imported.config import FIRST, LAST, MASKED, PAD, SPECIAL, UNKNOWN, ImportedConfig, words_of_bases
from gattn_tg.models.imported.families import BERT, ESM, OF_WORDS, Family
from gattn_tg.models.imported.folder import CONFIG, README
from gattn_tg.models.imported.trunk import ImportedTrunk
from gattn_tg.models.safetensors import pack
from gattn_tg.ops.host import arrays_of

WEIGHTS, VOCABULARY, TOKENIZER = "model.safetensors", "vocab.txt", "tokenizer_config.json"
FILES = (CONFIG, WEIGHTS, VOCABULARY, TOKENIZER, README)
# what is computed there, as fields of the configuration
FORMS: dict[str, tuple[Family, dict[str, Any]]] = {
    "Bert": (BERT, {
        "positions": "learned", "first_position": 0, "up_bias": True, "down_bias": True, "embed_norm": True,
        "last_norm": False, "token_dropout": False,
    }),
    "Esm": (ESM, {"up_bias": True, "down_bias": True, "n_types": 0, "last_norm": True, "rope_scaling": "none"}),
}
# the matrix of the words is that of the decoder; their bias stands beside it, and in BERT's decoder once more
ABSENT = (("cls.predictions", "weight"), ("lm_head", "weight"), ("lm_head.decoder", "bias"))
DECODERS = ("cls.predictions.decoder.weight", "lm_head.decoder.weight")
ANY_LENGTH = 1 << 20  # tokens, where a tokenizer must be told how many there may be


@dataclass(frozen=True)
class Written:
    """An encoder in the form of transformers.

    Args:
        files: content by name, see `FILES`.
        architecture: the class of transformers that loads it.
        unused: parameters that have no place there: a head of its own, motif tables that are zero.
    """

    files: dict[str, bytes]
    architecture: str
    unused: tuple[str, ...]


def written(model: ImportedTrunk, extra: Mapping[str, Any]) -> Written:
    """The files of an encoder.

    Args:
        model: an `ImportedEncoder`, or another model on its trunk, whose head is left out.
        extra: what its checkpoint keeps of its origin: `tokens`, in the order that the rows had there, and `licence`.

    Raises:
        UnsupportedError: the model computes what no class of transformers does.
    """
    c, name = model.config, "Bert" if model.config.post_norm else "Esm"
    family, form = FORMS[name]
    _require(c, name, form)
    parameters = get_state_dict(model)
    Tensor.realize(*parameters.values())
    arrays = dict(zip(parameters, arrays_of(list(parameters.values())), strict=True))
    if learnt := next((key for key, x in arrays.items() if key.endswith("motif_bias") and x.any()), ""):
        raise UnsupportedError(f"transformers: expected motif tables that are zero, or none, got numbers in {learnt}; "
                               "without them the model would not say the same")
    homes = {
        f"{family.in_file(module)}.{end}": f"{part}.{end}"
        for module, (part, *_) in family.of_layers(c.n_layers, is_gated=False).items() for end in ("weight", "bias")
        if f"{part}.{end}" in arrays and (module, end) not in ABSENT
    }  # fmt: skip
    has_head = "to_words.weight" in arrays
    is_tied = not has_head or np.array_equal(arrays["to_words.weight"], arrays["words.weight"])
    tokens, order = _rows(c, name, extra.get("tokens"))
    back = np.argsort(order)
    weights = {theirs: arrays[ours][back] if ours in OF_WORDS else arrays[ours] for theirs, ours in homes.items()
               if not (is_tied and theirs in DECODERS)}  # fmt: skip
    weights |= _wavelengths(c)
    architecture = f"{name}{'ForMaskedLM' if has_head else 'Model'}"
    licence = extra.get("licence", "The licence is that of what these weights were made of.")
    files = {
        CONFIG: _json({"architectures": [architecture], **_config(c, name, tokens), "tie_word_embeddings": is_tied}),
        WEIGHTS: pack(weights, {"format": "pt"}),
        VOCABULARY: "".join(f"{token}\n" for token in tokens).encode(),
        TOKENIZER: _json(_tokenizer(c, name)),
        README: f"Written by gattn_tg.\n\n{licence}\n".encode(),
    }
    return Written(files, architecture, tuple(sorted(set(arrays) - set(homes.values()))))


def _require(c: ImportedConfig, name: str, form: Mapping[str, Any]) -> None:
    """Refuses what no class of transformers computes."""
    for is_odd, what in (
        (c.words == "pairs", "words of byte-pair encoding"), (c.gate != "none", f"a gate ({c.gate})"),
        (c.positions == "alibi", "positions = 'alibi'"), (name == "Bert" and not c.n_types, "n_types = 0"),
    ):  # fmt: skip
        if is_odd:
            raise UnsupportedError(f"transformers: expected an encoder of the form of BERT or ESM, got one with "
                                   f"{what}, for which it has no class; the code for it comes with the original")
    for field, value in form.items():
        if (found := getattr(c, field)) != value:
            raise UnsupportedError(f"transformers: expected {field} = {value!r}, which {name}Model computes, got "
                                   f"{found!r}; it has no class for this encoder")


def _rows(c: ImportedConfig, name: str, tokens: list[str] | None) -> tuple[list[str], np.ndarray]:
    """The token of each row there, and the row there of each row here."""
    first = [*words_of_bases(c.word_bp), *SPECIAL[c.words]]
    padding = c.first_position - 1 if name == "Esm" and c.positions == "learned" else None
    at = {token: row for row, token in enumerate(tokens or ()) if token}
    if tokens is None or len(tokens) != c.n_words or not at.keys() >= set(first) or (
        padding is not None and at[PAD[c.words]] != padding
    ):  # fmt: skip
        tokens = [*first, *[""] * c.n_extra]
        if padding is not None:  # positions count from behind the row of the padding
            if not 0 <= padding < c.n_words:
                raise UnsupportedError(f"transformers: expected first_position from 1 to {c.n_words}, one more than "
                                       f"the row of the padding, got {c.first_position}; it has no class for that")
            row = tokens.index(PAD[c.words])
            tokens[row], tokens[padding] = tokens[padding], tokens[row]
        at = {token: row for row, token in enumerate(tokens) if token}
    known = [at[token] for token in first]
    order = np.array([*known, *sorted(set(range(c.n_words)) - set(known))])
    return [token or f"[unused{row}]" for row, token in enumerate(tokens)], order


def _wavelengths(c: ImportedConfig) -> dict[str, np.ndarray]:
    """The angles of the rotation per place, which files of ESM hold for every layer."""
    d = c.width // c.n_heads
    angles = (c.rope_theta ** (-np.arange(0, d, 2) / d)).astype(np.float32)
    return {f"{ESM.prefix}encoder.layer.{i}.attention.self.rotary_embeddings.inv_freq": angles
            for i in range(c.n_layers) if c.positions == "rope"}  # fmt: skip


def _config(c: ImportedConfig, name: str, tokens: list[str]) -> dict[str, Any]:
    """config.json, but for what follows from the weights."""
    told = {
        "model_type": name.lower(), "vocab_size": c.n_words, "hidden_size": c.width, "num_hidden_layers": c.n_layers,
        "num_attention_heads": c.n_heads, "intermediate_size": c.mlp_width, "hidden_act": "gelu",
        "max_position_embeddings": c.n_positions, "layer_norm_eps": c.eps, "hidden_dropout_prob": c.dropout,
        "attention_probs_dropout_prob": 0.0, "pad_token_id": tokens.index(PAD[c.words]), "torch_dtype": "float32",
        "position_embedding_type": "rotary" if c.positions == "rope" else "absolute",
    }  # fmt: skip
    if name == "Bert":
        return {**told, "type_vocab_size": c.n_types}
    return {
        **told, "mask_token_id": tokens.index(MASKED[c.words]), "token_dropout": c.token_dropout,
        "emb_layer_norm_before": c.embed_norm, "rope_theta": c.rope_theta,
    }  # fmt: skip


def _tokenizer(c: ImportedConfig, name: str) -> dict[str, Any]:
    """tokenizer_config.json. That of BERT wants words with blanks between them."""
    last = LAST if c.n_frame == 2 else None
    told = {
        "cls_token": FIRST[c.words], "mask_token": MASKED[c.words], "pad_token": PAD[c.words],
        "unk_token": UNKNOWN[c.words], "model_max_length": c.most_tokens or ANY_LENGTH,
    }
    if name == "Bert":
        return {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "sep_token": last, **told}
    return {"tokenizer_class": "EsmTokenizer", "eos_token": last, **told}


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
