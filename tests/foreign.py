"""Small models of other projects: folders as transformers writes them, their tokens by regular expressions, and what
they compute, in float64 with NumPy."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from math import erf
from pathlib import Path

import numpy as np

from gattn_tg.models.safetensors import pack

K, WIDTH, HEADS, LAYERS, HIDDEN, PLACES = 3, 32, 2, 2, 48, 70
WORDS = ["".join(word) for word in itertools.product("ATCG", repeat=K)]  # not in the order of our rows
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
ESM = ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", *WORDS, *"ATCGN", "<bos>"]


MERGES = ["A A", "C G", "T G", "T A", "TA TA", "G C", "C A", "TATA AA", "CG CG", "G G", "TG TG", "A C", "GC C"]
PAIRS = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *"ACGT", *(pair.replace(" ", "") for pair in MERGES)]


@dataclass(frozen=True)
class Form:
    """A form of encoder: BERT, ESM with learned positions (NT v1), ESM with rotation and a gate (NT v2), MosaicBERT."""

    name: str

    @property
    def is_bert(self) -> bool:
        return self.name in ("bert", "mosaic")

    @property
    def is_mosaic(self) -> bool:
        return self.name == "mosaic"

    @property
    def is_rotary(self) -> bool:
        return self.name == "nt2"

    @property
    def vocabulary(self) -> list[str]:
        return PAIRS if self.is_mosaic else BERT if self.is_bert else ESM

    @property
    def config(self) -> dict[str, object]:
        told = {"num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "hidden_size": WIDTH,
                "layer_norm_eps": 1e-12,
                "position_embedding_type": "rotary" if self.is_rotary else "absolute", "pad_token_id": 1 - self.is_bert}
        return {**told, "model_type": "bert" if self.is_bert else "esm"}

    def weights(self, seed: int = 0) -> dict[str, np.ndarray]:
        """Random values everywhere, also where a new model has ones and zeros, which would hide a wrong name."""
        rng, head = np.random.default_rng(seed), "bert" if self.is_bert else "esm"
        found: dict[str, np.ndarray] = {}

        def dense(name: str, n_out: int, n_in: int, bias: bool = True) -> None:
            found[f"{name}.weight"] = rng.standard_normal((n_out, n_in)) / n_in**0.5
            if bias:
                found[f"{name}.bias"] = 0.2 * rng.standard_normal(n_out)

        def norm(name: str, ends: tuple[str, str] = ("weight", "bias")) -> None:
            found[f"{name}.{ends[0]}"] = 1 + 0.2 * rng.standard_normal(WIDTH)
            found[f"{name}.{ends[1]}"] = 0.2 * rng.standard_normal(WIDTH)

        def table(name: str, n: int) -> None:
            found[f"{name}.weight"] = rng.standard_normal((n, WIDTH))

        table(f"{head}.embeddings.word_embeddings", len(self.vocabulary))
        if not self.is_rotary and not self.is_mosaic:
            table(f"{head}.embeddings.position_embeddings", PLACES)
        if self.is_bert:
            table("bert.embeddings.token_type_embeddings", 2)
            norm("bert.embeddings.LayerNorm")
        for i in range(LAYERS):
            at = f"{head}.encoder.layer.{i}"
            if self.is_mosaic:
                dense(f"{at}.attention.self.Wqkv", 3 * WIDTH, WIDTH)
                dense(f"{at}.attention.output.dense", WIDTH, WIDTH)
                norm(f"{at}.attention.output.LayerNorm")
                dense(f"{at}.mlp.gated_layers", 2 * HIDDEN, WIDTH, False)
                dense(f"{at}.mlp.wo", WIDTH, HIDDEN)
                norm(f"{at}.mlp.layernorm")
                continue
            for part in ("self.query", "self.key", "self.value", "output.dense"):
                dense(f"{at}.attention.{part}", WIDTH, WIDTH)
            dense(f"{at}.intermediate.dense", HIDDEN * (1 + self.is_rotary), WIDTH, not self.is_rotary)
            dense(f"{at}.output.dense", WIDTH, HIDDEN, not self.is_rotary)
            norm(f"{at}.attention.output.LayerNorm" if self.is_bert else f"{at}.attention.LayerNorm")
            norm(f"{at}.output.LayerNorm" if self.is_bert else f"{at}.LayerNorm", ("gamma", "beta"))
        if self.is_bert:
            dense("cls.predictions.transform.dense", WIDTH, WIDTH)
            norm("cls.predictions.transform.LayerNorm")
            found["cls.predictions.bias"] = 0.2 * rng.standard_normal(len(self.vocabulary))
        else:
            norm("esm.encoder.emb_layer_norm_after")
            dense("lm_head.dense", WIDTH, WIDTH)
            norm("lm_head.layer_norm")
            dense("lm_head.decoder", len(self.vocabulary), WIDTH, False)
            found["lm_head.bias"] = 0.2 * rng.standard_normal(len(self.vocabulary))
        return {name: x.astype(np.float32) for name, x in found.items()}

    def write(self, folder: Path, weights: dict[str, np.ndarray] | None = None) -> Path:
        """The folder, with weights as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config))
        if self.is_mosaic:
            told = {"type": "BPE", "vocab": {t: i for i, t in enumerate(PAIRS)}, "merges": MERGES, "unk_token": "[UNK]"}
            (folder / "tokenizer.json").write_text(json.dumps({"model": told}))
        else:
            (folder / "vocab.txt").write_text("\n".join(self.vocabulary) + "\n")
        (folder / "model.safetensors").write_bytes(pack(self.weights() if weights is None else weights))
        return folder

    def words(self, dna: str) -> list[str]:
        """The tokens of a sequence, as the tokenizers of the authors make them."""
        known = set(self.vocabulary)
        if self.is_mosaic:
            return ["[CLS]", *joined(dna), "[SEP]"]
        if self.is_bert:
            words = [dna[i : i + K] for i in range(len(dna) - K + 1)]
            return ["[CLS]", *(word if word in known else "[UNK]" for word in words), "[SEP]"]
        found = ["<cls>"]
        for run in re.findall("[ACGT]+|[^ACGT]", dna):
            whole = len(run) // K * K
            found += [run[i : i + K] for i in range(0, whole, K)] + list(run[whole:])
        return found

    def of_bases(self, dna: str) -> np.ndarray:
        """The token that each base is read from: the word whose middle it is, or that it is in."""
        if self.name == "bert":
            return np.clip(np.arange(len(dna)) - 1, 0, len(dna) - K) + 1
        widths = [0 if word in ("[CLS]", "[SEP]", "<cls>") else 1 if word == "[UNK]" else len(word)
                  for word in self.words(dna)]
        return np.repeat(np.arange(len(widths)), widths)

    def outputs(self, tokens: list[str], shares: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Hidden vectors of the last block, and logits of the words, of one sequence of tokens, in float64.

        Args:
            tokens: by name.
            shares: of each word of the vocabulary in each token, in place of one word each.
        """
        w = {name.replace(".gamma", ".weight").replace(".beta", ".bias"): x.astype(np.float64)
             for name, x in self.weights().items()}
        head = "bert" if self.is_bert else "esm"

        def dense(name: str, x: np.ndarray) -> np.ndarray:
            return np.asarray(x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0))

        def norm(name: str, x: np.ndarray) -> np.ndarray:
            x = x - x.mean(-1, keepdims=True)
            x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
            return np.asarray(x * w[f"{name}.weight"] + w[f"{name}.bias"])

        rows = {token: i for i, token in enumerate(self.vocabulary)}
        n = len(tokens)
        x = np.eye(len(rows))[[rows[token] for token in tokens]] if shares is None else shares
        x = x @ w[f"{head}.embeddings.word_embeddings.weight"]
        if not self.is_rotary and not self.is_mosaic:
            first = 0 if self.is_bert else 2
            x = x + w[f"{head}.embeddings.position_embeddings.weight"][first : first + n]
        if self.is_bert:
            x = norm("bert.embeddings.LayerNorm", x + w["bert.embeddings.token_type_embeddings.weight"][0])
        for i in range(LAYERS):
            at = f"{head}.encoder.layer.{i}"
            y = x if self.is_bert else norm(f"{at}.attention.LayerNorm", x)
            parts = np.split(dense(f"{at}.attention.self.Wqkv", y), 3, -1) if self.is_mosaic else [
                dense(f"{at}.attention.self.{part}", y) for part in ("query", "key", "value")]
            q, k, v = (part.reshape(n, HEADS, -1).swapaxes(0, 1) for part in parts)
            if self.is_rotary:
                q, k = turned(q), turned(k)
            s = q @ k.swapaxes(1, 2) / q.shape[-1] ** 0.5
            if self.is_mosaic:  # slopes of two heads
                s = s - np.array([2.0**-4, 2.0**-8])[:, None, None] * np.abs(np.arange(n)[:, None] - np.arange(n))
            p = np.exp(s - s.max(-1, keepdims=True))
            o = (p / p.sum(-1, keepdims=True)) @ v
            x = x + dense(f"{at}.attention.output.dense", o.swapaxes(0, 1).reshape(n, WIDTH))
            x = norm(f"{at}.attention.output.LayerNorm", x) if self.is_bert else x
            if self.is_mosaic:
                y = dense(f"{at}.mlp.gated_layers", x)
                x = norm(f"{at}.mlp.layernorm", x + dense(f"{at}.mlp.wo", gelu(y[:, :HIDDEN]) * y[:, HIDDEN:]))
                continue
            y = x if self.is_bert else norm(f"{at}.LayerNorm", x)
            y = dense(f"{at}.intermediate.dense", y)
            y = y[:, :HIDDEN] / (1 + np.exp(-y[:, :HIDDEN])) * y[:, HIDDEN:] if self.is_rotary else gelu(y)
            x = x + dense(f"{at}.output.dense", y)
            x = norm(f"{at}.output.LayerNorm", x) if self.is_bert else x
        x = x if self.is_bert else norm("esm.encoder.emb_layer_norm_after", x)
        if self.is_bert:
            y = norm("cls.predictions.transform.LayerNorm", gelu(dense("cls.predictions.transform.dense", x)))
            return x, y @ w["bert.embeddings.word_embeddings.weight"].T + w["cls.predictions.bias"]
        y = norm("lm_head.layer_norm", gelu(dense("lm_head.dense", x)))
        return x, dense("lm_head.decoder", y) + w["lm_head.bias"]


FORMS = {name: Form(name) for name in ("bert", "nt1", "nt2", "mosaic")}


def joined(dna: str) -> list[str]:
    """Words of byte-pair encoding: again and again the leftmost of the pairs with the first merge is joined."""
    words, rank = list(dna), {tuple(pair.split(" ")): i for i, pair in enumerate(MERGES)}
    while True:
        found = [(rank[pair], i) for i, pair in enumerate(itertools.pairwise(words)) if pair in rank]
        if not found:
            return [word if word in PAIRS else "[UNK]" for word in words]
        _, i = min(found)
        words[i : i + 2] = [words[i] + words[i + 1]]


def gelu(x: np.ndarray) -> np.ndarray:
    """x Phi(x)."""
    return np.asarray(x * 0.5 * (1 + np.vectorize(erf)(x / 2**0.5)))


def turned(x: np.ndarray) -> np.ndarray:
    """Every pair of channels, one from each half, turned by an angle that grows with the place."""
    n, d = x.shape[-2:]
    angle = np.arange(n)[:, None] * 10_000.0 ** (-np.arange(0, d, 2) / d)
    a, b = x[..., : d // 2], x[..., d // 2 :]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], -1)
