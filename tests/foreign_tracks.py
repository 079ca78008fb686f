"""Small models of tracks of other projects: folders as their authors write them, and what they compute, with NumPy."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gattn_tg.models.safetensors import pack

TOKENS, KEPT_BP, DEPTH, HEADS = 20, 64, 2, 2  # of a window; bases of it that get values
TRACKS = {"human": 5, "mouse": 3}


@dataclass(frozen=True)
class TracksForm:
    """A form of model of tracks: Enformer, Borzoi, Flashzoi."""

    name: str
    widths: tuple[int, ...]  # of the stem and of the stages

    @property
    def is_enformer(self) -> bool:
        return self.name == "enformer"

    @property
    def dim(self) -> int:
        return self.widths[-1]

    @property
    def token_bp(self) -> int:
        return int(2 ** len(self.widths))

    @property
    def bin_bp(self) -> int:
        return self.token_bp if self.is_enformer else self.token_bp // 4

    @property
    def window_bp(self) -> int:
        return TOKENS * self.token_bp

    @property
    def config(self) -> dict[str, Any]:
        told = {"dim": self.dim, "depth": DEPTH, "heads": HEADS, "attn_dim_key": 8}
        if self.is_enformer:
            return {**told, "model_type": "enformer", "num_downsamples": len(self.widths), "output_heads": TRACKS,
                    "target_length": KEPT_BP // self.bin_bp, "use_tf_gamma": False}
        return {**told, "model_type": "borzoi", "attn_dim_value": 12, "bins_to_return": KEPT_BP // self.bin_bp,
                "return_center_bins_only": True, "enable_mouse_head": True}

    def weights(self, seed: int = 0) -> dict[str, np.ndarray]:
        """Random values everywhere, also where a new model has ones and zeros, which would hide a wrong name."""
        rng, dim = np.random.default_rng(seed), self.dim
        found: dict[str, np.ndarray] = {}

        def draw(name: str, *shape: int, bias: bool = True) -> None:
            found[f"{name}.weight"] = rng.standard_normal(shape) / math.prod(shape[1:]) ** 0.5
            if bias:
                found[f"{name}.bias"] = 0.2 * rng.standard_normal(shape[0])

        def norm(name: str, width: int, has_statistics: bool = True) -> None:
            found[f"{name}.weight"] = 1 + 0.2 * rng.standard_normal(width)
            found[f"{name}.bias"] = 0.2 * rng.standard_normal(width)
            if has_statistics:
                found[f"{name}.running_mean"] = 0.3 * rng.standard_normal(width)
                found[f"{name}.running_var"] = 0.5 + rng.random(width)
                found[f"{name}.num_batches_tracked"] = np.array(7)

        def block(norm_name: str, name: str, n_in: int, n_out: int, kernel: int) -> None:
            norm(norm_name, n_in)
            draw(name, n_out, n_in, kernel)

        steps = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        if self.is_enformer:
            draw("stem.0", self.widths[0], 4, 15)
            block("stem.1.fn.0", "stem.1.fn.2", self.widths[0], self.widths[0], 1)
            draw("stem.2.to_attn_logits", self.widths[0], self.widths[0], 1, 1, bias=False)
            for i, (n_in, n_out) in enumerate(steps):
                block(f"conv_tower.{i}.0.0", f"conv_tower.{i}.0.2", n_in, n_out, 5)
                block(f"conv_tower.{i}.1.fn.0", f"conv_tower.{i}.1.fn.2", n_out, n_out, 1)
                draw(f"conv_tower.{i}.2.to_attn_logits", n_out, n_out, 1, 1, bias=False)
            block("final_pointwise.1.0", "final_pointwise.1.2", dim, 2 * dim, 1)
        else:
            draw("conv_dna.conv_layer", self.widths[0], 4, 15)
            for i, (n_in, n_out) in enumerate(steps):
                there = "unet1.1" if i == len(steps) - 1 else f"res_tower.{2 * i}"
                block(f"{there}.norm", f"{there}.conv_layer", n_in, n_out, 5)
            for i, n_in in enumerate(self.widths[-2:]):
                block(f"horizontal_conv{i}.norm", f"horizontal_conv{i}.conv_layer", n_in, dim, 1)
                block(f"upsampling_unet{i}.0.norm", f"upsampling_unet{i}.0.conv_layer", dim, dim, 1)
                draw(f"separable{i}.conv_layer.0", dim, 1, 3, bias=False)
                draw(f"separable{i}.conv_layer.1", dim, dim, 1)
            block("final_joined_convs.0.norm", "final_joined_convs.0.conv_layer", dim, 40, 1)
        d, e = 8, dim // HEADS if self.is_enformer else 12
        for i in range(DEPTH):
            at, mlp = f"transformer.{i}.0.fn", f"transformer.{i}.1.fn"
            norm(f"{at}.0", dim, False)
            if self.name == "flashzoi":
                draw(f"{at}.1.mha.Wqkv", 2 * dim, dim)
                draw(f"{at}.1.mha.out_proj", dim, dim)
            else:
                for part, n_out in (("q", d), ("k", d), ("v", e)):
                    draw(f"{at}.1.to_{part}", HEADS * n_out, dim, bias=False)
                draw(f"{at}.1.to_out", dim, HEADS * e)
                draw(f"{at}.1.to_rel_k", HEADS * d, dim // HEADS if self.is_enformer else 32, bias=False)
                found[f"{at}.1.rel_content_bias"] = rng.standard_normal((1, HEADS, 1, d))
                found[f"{at}.1.rel_pos_bias"] = rng.standard_normal((1, HEADS, 1, d))
            norm(f"{mlp}.0", dim, False)
            draw(f"{mlp}.1", 2 * dim, dim)
            draw(f"{mlp}.4", dim, 2 * dim)
        for name, count in TRACKS.items():
            if self.is_enformer:
                draw(f"_heads.{name}.0", count, 2 * dim)
            else:
                draw(f"{name}_head", count, 40, 1)
        return {name: x if x.dtype.kind == "i" else x.astype(np.float32) for name, x in found.items()}

    def write(self, folder: Path, weights: dict[str, np.ndarray] | None = None) -> Path:
        """The folder, with weights as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config))
        (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
        (folder / "model.safetensors").write_bytes(pack(self.weights() if weights is None else weights))
        return folder

    def outputs(
        self, hot: np.ndarray, weights: dict[str, np.ndarray] | None = None, dtype: Any = np.float64
    ) -> dict[str, np.ndarray]:
        """Vectors of tokens behind the last block as `hidden`, and the tracks of every head, of one-hot bases."""
        w = {name: x.astype(dtype) for name, x in (self.weights() if weights is None else weights).items()}
        dense, eps = dense_of(w), self.eps

        def conv(name: str, x: np.ndarray) -> np.ndarray:
            taps = w[f"{name}.weight"]
            half, n = taps.shape[2] // 2, len(x)
            wide = np.pad(x, ((half, half), (0, 0)))
            return np.asarray(sum(wide[t : t + n] @ taps[:, :, t].T for t in range(taps.shape[2])) + w[f"{name}.bias"])

        def block(norm_name: str, name: str, x: np.ndarray) -> np.ndarray:
            at = [w[f"{norm_name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
            return conv(name, self.activation((x - at[0]) / np.sqrt(at[1] + dtype(eps)) * at[2] + at[3]))

        def pooled(name: str, x: np.ndarray) -> np.ndarray:
            logits, pairs = (y.reshape(len(x) // 2, 2, -1) for y in (dense(f"{name}.to_attn_logits", x), x))
            p = np.exp(logits - logits.max(1, keepdims=True))
            return np.asarray((pairs * p / p.sum(1, keepdims=True)).sum(1))

        around = []
        if self.is_enformer:
            x = conv("stem.0", hot.astype(dtype))
            x = pooled("stem.2", x + block("stem.1.fn.0", "stem.1.fn.2", x))
            for i in range(len(self.widths) - 1):
                at = f"conv_tower.{i}"
                x = block(f"{at}.0.0", f"{at}.0.2", x)
                x = pooled(f"{at}.2", x + block(f"{at}.1.fn.0", f"{at}.1.fn.2", x))
        else:
            x = conv("conv_dna.conv_layer", hot.astype(dtype))
            for i in range(len(self.widths) - 1):
                there = "unet1.1" if i == len(self.widths) - 2 else f"res_tower.{2 * i}"
                x = block(f"{there}.norm", f"{there}.conv_layer", largest(x))
                around.append(x)
            x = largest(x)
        for i in range(DEPTH):
            x = self.layer(i, x, w)
        found = {"hidden": x}
        if not self.is_enformer:
            for i, side in zip((1, 0), reversed(around[-2:]), strict=True):
                x = np.repeat(block(f"upsampling_unet{i}.0.norm", f"upsampling_unet{i}.0.conv_layer", x), 2, 0)
                x = x + block(f"horizontal_conv{i}.norm", f"horizontal_conv{i}.conv_layer", side)
                wide, each = np.pad(x, ((1, 1), (0, 0))), w[f"separable{i}.conv_layer.0.weight"]
                x = sum(wide[t : t + len(x)] * each[:, 0, t] for t in range(3))
                x = dense(f"separable{i}.conv_layer.1", x)
        cut = (len(x) - KEPT_BP // self.bin_bp) // 2
        x = x[cut : len(x) - cut]
        last = ("final_pointwise.1.0", "final_pointwise.1.2") if self.is_enformer else (
            "final_joined_convs.0.norm", "final_joined_convs.0.conv_layer")
        x = self.activation(block(*last, x))
        for name in TRACKS:
            found[name] = np.logaddexp(dense(f"_heads.{name}.0" if self.is_enformer else f"{name}_head", x), dtype(0))
        return found

    def layer(self, i: int, x: np.ndarray, weights: dict[str, np.ndarray] | None = None) -> np.ndarray:
        """What layer i makes of vectors of tokens (n, dim), in their dtype."""
        w = {name: y.astype(x.dtype) for name, y in (self.weights() if weights is None else weights).items()}
        dense, at, mlp = dense_of(w), f"transformer.{i}.0.fn", f"transformer.{i}.1.fn"

        def norm(name: str, x: np.ndarray) -> np.ndarray:
            x = x - x.mean(-1, keepdims=True)
            x = x / np.sqrt((x * x).mean(-1, keepdims=True) + x.dtype.type(self.eps))
            return np.asarray(x * w[f"{name}.weight"] + w[f"{name}.bias"])

        x = x + self.attended(f"{at}.1", norm(f"{at}.0", x), w, dense)
        return np.asarray(x + dense(f"{mlp}.4", np.maximum(dense(f"{mlp}.1", norm(f"{mlp}.0", x)), 0)))

    @property
    def eps(self) -> float:
        return 1e-5 if self.is_enformer else 1e-3

    def activation(self, x: np.ndarray) -> np.ndarray:
        """GELU: the form of Enformer, or that with tanh."""
        if self.is_enformer:
            return np.asarray(x / (1 + np.exp(x.dtype.type(-1.702) * x)))
        inner = x.dtype.type((2 / math.pi) ** 0.5) * (x + x.dtype.type(0.044715) * x**3)
        return np.asarray(x * x.dtype.type(0.5) * (1 + np.tanh(inner)))

    def attended(self, name: str, y: np.ndarray, w: dict[str, np.ndarray], dense: Any) -> np.ndarray:
        """What the attention of a layer adds."""
        n, dtype = len(y), y.dtype.type
        if self.name == "flashzoi":
            d = self.dim // HEADS
            both = dense(f"{name}.mha.Wqkv", y).reshape(n, 2 * HEADS, d).swapaxes(0, 1)
            q, k, v = turned(both[:HEADS]), turned(both[HEADS : HEADS + 1]), both[HEADS + 1 :]
            s = q @ k.swapaxes(1, 2) * dtype(d**-0.5)
        else:
            q, k, v = (dense(f"{name}.to_{part}", y).reshape(n, HEADS, -1).swapaxes(0, 1) for part in "qkv")
            q = q * dtype(q.shape[-1] ** -0.5)
            s = (q + w[f"{name}.rel_content_bias"][0]) @ k.swapaxes(1, 2)
            r = dense(f"{name}.to_rel_k", self.basis(w[f"{name}.to_rel_k.weight"].shape[1]).astype(dtype))
            r = r.reshape(2 * n - 1, HEADS, -1).swapaxes(0, 1)
            by_place = (q + w[f"{name}.rel_pos_bias"][0]) @ r.swapaxes(1, 2)
            i, j = np.arange(n)[:, None], np.arange(n)
            s = s + by_place[:, i, j - i + n - 1]
        p = np.exp(s - s.max(-1, keepdims=True))
        o = (p / p.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(n, -1)
        return np.asarray(dense(f"{name}.mha.out_proj" if self.name == "flashzoi" else f"{name}.to_out", o))

    def basis(self, count: int) -> np.ndarray:
        """Functions of the distances from 1 - TOKENS to TOKENS - 1, one by one."""
        rows = []
        for distance in range(1 - TOKENS, TOKENS):
            x, found = abs(distance), []
            if self.is_enformer:
                each = count // 6
                steps = [k / (each - 1) for k in range(each)]
                found += [0.5 ** (x / 2 ** (3 + t * (math.log2(TOKENS) - 3))) for t in steps]
                found += [float(2 ** (k + 1) - 1 > x) for k in range(each)]
                density = [gamma_density(x, TOKENS / each + t * (TOKENS - TOKENS / each), TOKENS / (2 * each)) + 1e-8
                           for t in steps]
                found += [p / max(density) for p in density]
            else:
                found += [float(4097 ** ((k + 1) / (count // 2)) - 1 > x) for k in range(count // 2)]
            rows.append([*found, *(np.sign(distance) * f for f in found)])
        return np.array(rows)


FORMS = {form.name: form for form in (
    TracksForm("enformer", (12, 24)), TracksForm("borzoi", (16, 16, 24, 32)),
    TracksForm("flashzoi", (16, 16, 24, 256)),
)}  # fmt: skip


def dense_of(w: dict[str, np.ndarray]) -> Callable[[str, np.ndarray], np.ndarray]:
    """The affine map of a name."""

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        matrix = w[f"{name}.weight"]
        return np.asarray(x @ matrix.reshape(matrix.shape[:2]).T + w.get(f"{name}.bias", x.dtype.type(0)))

    return dense


def gamma_density(x: float, mean: float, deviation: float) -> float:
    """The density of a gamma distribution of this mean and standard deviation."""
    if x == 0:
        return 0.0
    shape, rate = (mean / deviation) ** 2, mean / deviation**2
    return math.exp(shape * math.log(rate) - math.lgamma(shape) + (shape - 1) * math.log(x) - rate * x)


def largest(x: np.ndarray) -> np.ndarray:
    """The larger of every two positions."""
    return np.asarray(x.reshape(len(x) // 2, 2, -1).max(1))


def turned(x: np.ndarray) -> np.ndarray:
    """The first 128 channels of a head in pairs, one from each half, turned by an angle that grows with the place."""
    angle = np.arange(x.shape[-2])[:, None] * 20_000.0 ** (-np.arange(0, 128, 2) / 128)
    c, s, a, b = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype), x[..., :64], x[..., 64:128]
    return np.concatenate([a * c - b * s, b * c + a * s, x[..., 128:]], -1)
