"""The models of gattn_tg in PyTorch, layer by layer from the same weights: peers of train_step.py and throughput.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from gattn_tg.models.config import NO_MOTIF

BIG = -1e30  # added to scores that are not seen


class TorchTrunk(torch.nn.Module):
    """Parameters by the names of gattn_tg, and the blocks that its models share.

    Args:
        config: of the gattn_tg model; rotary positions, motif bias `key`, `pair` or none.
        weights: its state dict.
        folded: write a `key` bias as one more channel of q and k, which lets PyTorch's own flash attention run; else
            the bias is an (n, n) matrix, and the attention is written out, as code with a learned bias usually is.
        is_causal: a base sees only what is before it.
    """

    def __init__(
        self, config: Any, weights: Mapping[str, np.ndarray], folded: bool = False, is_causal: bool = False
    ) -> None:
        super().__init__()
        self.config, self.folded, self.is_causal = config, folded, is_causal
        self.names = {name: name.replace(".", "__") for name in weights}
        for name, value in weights.items():
            self.register_parameter(self.names[name], torch.nn.Parameter(torch.from_numpy(value.copy())))

    def w(self, name: str) -> torch.Tensor:
        return getattr(self, self.names[name])

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], self.w(f"{name}.weight"), self.w(f"{name}.bias"))

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.w(f"{name}.weight"), self.w(f"{name}.bias"))

    def convolution(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """Channels last outside, as the blocks want them."""
        weight = self.w(f"{name}.weight")
        return F.conv1d(x.transpose(1, 2), weight, self.w(f"{name}.bias"), padding=weight.shape[2] // 2).transpose(1, 2)

    def with_motifs(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return x + F.embedding(ids, self.w("embed_motifs.weight")) if self.config.embed_motifs else x

    def attended(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        for layer in range(self.config.n_layers):
            at = f"blocks.{layer}"
            x = x + self.attention(at, self.norm(f"{at}.attention_norm", x), ids)
            h = gelu(self.linear(f"{at}.mlp.up", self.norm(f"{at}.mlp_norm", x)))
            x = x + self.linear(f"{at}.mlp.down", h)
        return self.norm("norm", x)

    def attention(self, at: str, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        b, n, width = x.shape
        h, d = self.config.n_heads, width // self.config.n_heads
        q, k, v = (F.linear(x, self.w(f"{at}.attention.{name}_proj.weight")).view(b, n, h, d).transpose(1, 2)
                   for name in "qkv")
        angle = torch.arange(n)[:, None] * torch.tensor(self.config.rope_theta) ** (-torch.arange(0, d, 2) / d)
        cos, sin = angle.cos(), angle.sin()

        def rotate(z: torch.Tensor) -> torch.Tensor:
            first, second = z.chunk(2, -1)
            return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)

        q, k = rotate(q), rotate(k)
        table = None if self.config.motif == NO_MOTIF else self.w(f"{at}.attention.motif_bias")
        if self.folded:
            if table is not None:
                q = torch.cat([q, torch.full_like(q[..., :1], d**0.5)], -1)
                k = torch.cat([k, table[ids][:, None, :, None].expand(b, h, n, 1)], -1)
            o = F.scaled_dot_product_attention(q, k, v, is_causal=self.is_causal, scale=d**-0.5)
        else:
            s = q @ k.transpose(-1, -2) * d**-0.5
            if table is not None:
                pair = table.ndim == 2
                s = s + (table[ids[:, :, None], ids[:, None, :]].unsqueeze(1) if pair else table[ids][:, None, None, :])
            if self.is_causal:
                s = s + torch.full((n, n), BIG).triu(1)
            o = s.softmax(-1) @ v
        return F.linear(o.transpose(1, 2).reshape(b, n, width), self.w(f"{at}.attention.out_proj.weight"))


class TorchClassifier(TorchTrunk):
    """SequenceClassifier: rotary positions, attention pooling."""

    def forward(self, bases: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        x = self.with_motifs(F.embedding(bases, self.w("embed_bases.weight")), ids)
        if self.config.stem_kernel:
            x = x + gelu(self.convolution("stem", x))
        x = self.attended(x, ids)
        pooled = (self.linear("pool.score", x).softmax(1) * x).sum(1)
        return self.linear("head", pooled)


class TorchGPT(TorchTrunk):
    """GenomicGPT: bases and words embedded, causal blocks, the next base."""

    def forward(self, bases: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        x = F.embedding(bases, self.w("embed_bases.weight"))
        for i, k in enumerate(self.config.words):
            x = x + F.embedding(word_ids(bases, k), self.w(f"embed_words.{i}.weight"))
        return self.linear("to_bases", self.attended(self.with_motifs(x, ids), ids))


class TorchEncoder(TorchTrunk):
    """MaskedEncoder over bases: the words at some places of every row."""

    def forward(self, bases: torch.Tensor, ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        x = self.with_motifs(F.embedding(bases, self.w("embed_bases.weight")), ids)
        x = self.attended(x + gelu(self.convolution("stem", x)), ids)
        picked = x.gather(1, places[..., None].expand(*places.shape, x.shape[-1]))
        return self.linear("to_words", self.norm("hidden_norm", gelu(self.linear("to_hidden", picked))))


class TorchTracks(TorchTrunk):
    """TrackModel: stem, tower of convolutions with pooling by two, blocks over bins, the first head."""

    def forward(self, bases: torch.Tensor, ids: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        c = self.config
        x = gelu(self.convolution("stem", F.one_hot(bases, 5)[..., :4].float()))
        x = halved(self.with_motifs(x, ids))
        for i in range(c.bin_bp.bit_length() - 2):
            at = f"tower.{i}"
            h = gelu(self.convolution(f"{at}.convolution", self.norm(f"{at}.convolution_norm", x)))
            x = halved(h + gelu(self.linear(f"{at}.mix", self.norm(f"{at}.mix_norm", h))))
        x = self.attended(x, bins)
        margin = c.crop_bp // c.bin_bp
        x = gelu(self.linear("last", x[:, margin : x.shape[1] - margin]))
        return F.softplus(self.linear(f"heads.{c.heads[0][0]}", x))


class TorchPerBase(TorchTrunk):
    """PerBaseModel: stem, blocks, a logit per base."""

    def forward(self, bases: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        x = gelu(self.convolution("stem", F.one_hot(bases, 5)[..., :4].float()))
        return self.linear("head", self.attended(self.with_motifs(x, ids), ids))


def gelu(x: torch.Tensor) -> torch.Tensor:
    return F.gelu(x, approximate="tanh")


def halved(x: torch.Tensor) -> torch.Tensor:
    return F.max_pool1d(x.transpose(1, 2), 2).transpose(1, 2)


def word_ids(bases: torch.Tensor, k: int) -> torch.Tensor:
    """Code of the k bases that end at each base; 4**k where one is not known."""
    n = bases.shape[1]
    wide = F.pad(bases, (k - 1, 0), value=4)
    digits = torch.stack([wide[:, k - 1 - t : k - 1 - t + n] for t in range(k)])
    code = (digits * (4 ** torch.arange(k)).view(-1, 1, 1)).sum(0)
    return torch.where((digits < 4).all(0), code, 4**k)
