"""The names that Enformer and Borzoi give to their weights, and the shapes that these have there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gattn_tg.models.imported.tracks.config import Form

OF_NORM = ("weight", "bias", "running_mean", "running_var")  # of batch normalisation
COUNTED = "num_batches_tracked"  # by batch normalisation while it learns; no weight
OF_LAYER = {
    "blocks.{}.attention_norm": "transformer.{}.0.fn.0",
    "blocks.{}.attention": "transformer.{}.0.fn.1",
    "blocks.{}.attention.q_proj": "transformer.{}.0.fn.1.to_q",
    "blocks.{}.attention.k_proj": "transformer.{}.0.fn.1.to_k",
    "blocks.{}.attention.v_proj": "transformer.{}.0.fn.1.to_v",
    "blocks.{}.attention.out_proj": "transformer.{}.0.fn.1.to_out",
    "blocks.{}.attention.distance_proj": "transformer.{}.0.fn.1.to_rel_k",
    "blocks.{}.mlp_norm": "transformer.{}.1.fn.0",
    "blocks.{}.up": "transformer.{}.1.fn.1",
    "blocks.{}.down": "transformer.{}.1.fn.4",
}
QKV = "transformer.{}.0.fn.1.mha.Wqkv"  # of Flashzoi: rows of queries, then of keys, then of values
OF_FLASH = {
    **OF_LAYER, "blocks.{}.attention.q_proj": QKV, "blocks.{}.attention.k_proj": QKV, "blocks.{}.attention.v_proj": QKV,
    "blocks.{}.attention.out_proj": "transformer.{}.0.fn.1.mha.out_proj",
}  # fmt: skip
ENDS = {"content_bias": "rel_content_bias", "place_bias": "rel_pos_bias"}


@dataclass(frozen=True)
class TracksFamily:
    """A form of model of tracks.

    Args:
        name: for people.
        form: of the configuration.
        marks: the weight of its first layer, which every model of this form has and no other.
        stages: modules of a stage, by the end of their names here.
        stage: the name of a stage there, with its number.
        step: between the numbers of two stages.
        heads: the name of a head there.
        others: modules that there is one of.
        twins: beginnings of names that a file may have in place of others, or beside them for the same weights.
        tokens: of a window of the published models, as no file says it.
    """

    name: str
    form: Form
    marks: str
    stages: Mapping[str, str]
    stage: str
    step: int
    heads: str
    others: Mapping[str, str]
    twins: tuple[tuple[str, str], ...]
    tokens: int

    def modules(self, n_stages: int, n_layers: int, heads: tuple[str, ...], is_flash: bool) -> dict[str, str]:
        """Every module here -> its name there."""
        found = dict(self.others)
        for i in range(n_stages):
            there = self.stage_there(i, n_stages)
            found |= {f"tower.stages.{i}{ours}": f"{there}{theirs}" for ours, theirs in self.stages.items()}
        for i in range(n_layers):
            layer = OF_FLASH if is_flash else OF_LAYER
            found |= {ours.format(i): theirs.format(i) for ours, theirs in layer.items()}
        return found | {f"heads.{name}": self.heads.format(name) for name in heads}

    def stage_there(self, i: int, n_stages: int) -> str:
        """What stage i is called there; the last one of Borzoi stands by itself."""
        if self.form == "borzoi" and i == n_stages - 1:
            return "unet1.1"
        return self.stage.format(self.step * i)

    def shape_there(self, module: str, end: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape there of a parameter of this shape here: some maps are convolutions of one position there."""
        if end in ENDS:
            return (1, shape[0], 1, shape[1])
        if end != "weight":
            return shape
        if module.endswith("pool.score"):
            return (*shape, 1, 1)
        if module.endswith(".each"):
            return (shape[0], 1, shape[1])
        is_map = self.form == "borzoi" and (module.startswith("heads.") or module in ("rises.first.mix",
                                                                                     "rises.second.mix"))
        return (*shape, 1) if is_map else shape

    def heads_in(self, weights: Mapping[str, np.ndarray]) -> tuple[tuple[str, int], ...]:
        """Name and number of tracks of every head in a file."""
        before, after = (part for part in f"{self.heads}.weight".split("{}"))
        return tuple((name.removeprefix(before).removesuffix(after), len(x)) for name, x in weights.items()
                     if x.ndim and name.startswith(before) and name.endswith(after)
                     and "." not in name.removeprefix(before).removesuffix(after))


ENFORMER = TracksFamily(
    name="Enformer", form="enformer", marks="stem.2.to_attn_logits.weight", tokens=1536,
    stages={
        ".widen.norm": ".0.0", ".widen.convolution": ".0.2", ".mix.norm": ".1.fn.0", ".mix.convolution": ".1.fn.2",
        ".pool.score": ".2.to_attn_logits",
    },
    stage="conv_tower.{}", step=1, heads="_heads.{}.0",
    others={
        "tower.stem": "stem.0", "tower.mix.norm": "stem.1.fn.0", "tower.mix.convolution": "stem.1.fn.2",
        "tower.pool.score": "stem.2.to_attn_logits", "last.norm": "final_pointwise.1.0",
        "last.convolution": "final_pointwise.1.2",
    },
    twins=(("_trunk.1.", "stem."), ("_trunk.2.", "conv_tower."), ("_trunk.4.", "transformer."),
           ("_trunk.6.", "final_pointwise.")),
)  # fmt: skip
BORZOI = TracksFamily(
    name="Borzoi", form="borzoi", marks="conv_dna.conv_layer.weight", tokens=4096,
    stages={".norm": ".norm", ".convolution": ".conv_layer"}, stage="res_tower.{}", step=2, heads="{}_head",
    others={
        "tower.stem": "conv_dna.conv_layer", "last.norm": "final_joined_convs.0.norm",
        "last.convolution": "final_joined_convs.0.conv_layer",
        **{f"rises.{ours}.{part}": name.format(i) for ours, i in (("first", 1), ("second", 0)) for part, name in (
            ("across.norm", "horizontal_conv{}.norm"), ("across.convolution", "horizontal_conv{}.conv_layer"),
            ("before.norm", "upsampling_unet{}.0.norm"), ("before.convolution", "upsampling_unet{}.0.conv_layer"),
            ("each", "separable{}.conv_layer.0"), ("mix", "separable{}.conv_layer.1"))},
    },
    twins=(),
)  # fmt: skip
FAMILIES = (ENFORMER, BORZOI)


def canonical(name: str, family: TracksFamily) -> str:
    """The name of a weight, whichever of its names a file has."""
    for twin, first in family.twins:
        if name.startswith(twin):
            return first + name.removeprefix(twin)
    return name


def tracks_family_of(weights: Mapping[str, np.ndarray]) -> TracksFamily | None:
    """The family that a file with these weights is of; None where it is none of tracks."""
    return next((family for family in FAMILIES if any(canonical(name, family) == family.marks for name in weights)),
                None)
