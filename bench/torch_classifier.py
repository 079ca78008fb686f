"""The same classifier in PyTorch, eager attention with a materialised bias: the peer of bench/train_step.py."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F

from gattn_tg.models.config import NO_MOTIF, ClassifierConfig


class TorchClassifier(torch.nn.Module):
    """SequenceClassifier of gattn_tg, layer by layer, from its weights (rotary positions, key or pair bias)."""

    def __init__(self, config: ClassifierConfig, weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self.config = config
        self.names = {name: name.replace(".", "__") for name in weights}
        for name, value in weights.items():
            self.register_parameter(self.names[name], torch.nn.Parameter(torch.from_numpy(value.copy())))

    def w(self, name: str) -> torch.Tensor:
        return getattr(self, self.names[name])

    def forward(self, bases: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        c = self.config
        x = F.embedding(bases, self.w("embed_bases.weight"))
        if c.embed_motifs:
            x = x + F.embedding(ids, self.w("embed_motifs.weight"))
        if c.stem_kernel:
            stem = F.conv1d(x.transpose(1, 2), self.w("stem.weight"), self.w("stem.bias"), padding=c.stem_kernel // 2)
            x = x + F.gelu(stem.transpose(1, 2), approximate="tanh")
        for layer in range(c.n_layers):
            at = f"blocks.{layer}"
            x = x + self.attend(at, self.norm(f"{at}.attention_norm", x), ids)
            h = self.norm(f"{at}.mlp_norm", x)
            h = F.gelu(F.linear(h, self.w(f"{at}.mlp.up.weight"), self.w(f"{at}.mlp.up.bias")), approximate="tanh")
            x = x + F.linear(h, self.w(f"{at}.mlp.down.weight"), self.w(f"{at}.mlp.down.bias"))
        x = self.norm("norm", x)
        scores = F.linear(x, self.w("pool.score.weight"), self.w("pool.score.bias"))
        pooled = (scores.softmax(1) * x).sum(1)
        return F.linear(pooled, self.w("head.weight"), self.w("head.bias"))

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], self.w(f"{name}.weight"), self.w(f"{name}.bias"))

    def attend(self, at: str, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        b, n, width = x.shape
        h, d = self.config.n_heads, width // self.config.n_heads
        q, k, v = (F.linear(x, self.w(f"{at}.attention.{name}_proj.weight")).view(b, n, h, d).transpose(1, 2)
                   for name in "qkv")
        angle = torch.arange(n)[:, None] * torch.tensor(self.config.rope_theta) ** (-torch.arange(0, d, 2) / d)
        cos, sin = angle.cos(), angle.sin()

        def rotate(z: torch.Tensor) -> torch.Tensor:
            even, odd = z.chunk(2, -1)
            return torch.cat([even * cos - odd * sin, even * sin + odd * cos], -1)

        s = rotate(q) @ rotate(k).transpose(-1, -2) * d**-0.5
        if self.config.motif != NO_MOTIF:
            table = self.w(f"{at}.attention.motif_bias")
            s = s + (table[ids][:, None, None, :] if self.config.motif == "key" else
                     table[ids[:, :, None], ids[:, None, :]].unsqueeze(1))
        o = (s.softmax(-1) @ v).transpose(1, 2).reshape(b, n, width)
        return F.linear(o, self.w(f"{at}.attention.out_proj.weight"))
