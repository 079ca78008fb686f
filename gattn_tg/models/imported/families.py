"""The names that each family of encoders gives to its weights, and what its config.json says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Names = dict[str, str | tuple[str, ...]]

UP = "encoder.layer.{}.intermediate.dense"
ATTENTION: Names = {
    "encoder.layer.{}.attention.self.query": "blocks.{}.attention.q_proj",
    "encoder.layer.{}.attention.self.key": "blocks.{}.attention.k_proj",
    "encoder.layer.{}.attention.self.value": "blocks.{}.attention.v_proj",
    "encoder.layer.{}.attention.output.dense": "blocks.{}.attention.out_proj",
    "encoder.layer.{}.output.dense": "blocks.{}.down",
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "positions",
}
OF_BERT: Names = {
    "embeddings.token_type_embeddings": "types",
    "embeddings.LayerNorm": "embed_norm",
    "encoder.layer.{}.attention.output.LayerNorm": "blocks.{}.attention_norm",
    "cls.predictions.transform.dense": "to_hidden",
    "cls.predictions.transform.LayerNorm": "hidden_norm",
    "cls.predictions.decoder": "to_words",
    "cls.predictions": "to_words",
}


UNUSED_OF_BERT = ("pooler.", "cls.seq_relationship.", "embeddings.position_ids")


@dataclass(frozen=True)
class Family:
    """A form of encoder.

    Args:
        name: for people.
        marks: a module of every encoder of this form and of no other.
        names: modules as the family calls them -> as an `ImportedEncoder` does; a tuple where the rows of one matrix
            are those of several.
        prefix: of the weights of the encoder, in files that have a head too.
        post_norm: whether norms stand behind the residual sums.
        unused: parts of the file that fill in no words, by the beginning of their names.
        gate: activation of the gate of a perceptron that has one.
        places: position_embedding_type of config.json -> `positions` of an `ImportedConfig`.
        counts_padding: positions count from behind the number of the padding token.
    """

    name: str
    marks: str
    names: Names
    prefix: str
    post_norm: bool
    unused: tuple[str, ...]
    gate: str = "silu"
    places: tuple[tuple[str, str], ...] = (("absolute", "learned"),)
    counts_padding: bool = False

    def in_file(self, module: str) -> str:
        """The name of a module in a file that has a head too."""
        return module if module.startswith(("cls.", "lm_head")) else self.prefix + module

    def of_layers(self, n_layers: int, is_gated: bool) -> dict[str, tuple[str, ...]]:
        """Every module by its name in the file, for so many layers.

        Args:
            n_layers: blocks.
            is_gated: the first matrix of the perceptron holds the gate too, whose rows come first.
        """
        names = dict(self.names)
        if is_gated and UP in names:
            names[UP] = ("blocks.{}.gate", "blocks.{}.up")
        found: dict[str, tuple[str, ...]] = {}
        for theirs, ours in names.items():
            parts = (ours,) if isinstance(ours, str) else ours
            for i in range(n_layers) if "{}" in theirs else (0,):
                found[theirs.format(i)] = tuple(part.format(i) for part in parts)
        return found


BERT = Family(
    name="BERT (DNABERT)", marks="embeddings.token_type_embeddings", prefix="bert.", post_norm=True,
    names={
        **ATTENTION, **OF_BERT, UP: "blocks.{}.up", "encoder.layer.{}.output.LayerNorm": "blocks.{}.mlp_norm",
    },
    unused=UNUSED_OF_BERT,
)  # fmt: skip
MOSAIC = Family(
    name="MosaicBERT (DNABERT-2)", marks="encoder.layer.0.attention.self.Wqkv", prefix="bert.", post_norm=True,
    gate="gelu_erf", places=(("absolute", "alibi"),),
    names={
        **OF_BERT,
        "embeddings.word_embeddings": "words",
        "encoder.layer.{}.attention.self.Wqkv": tuple(f"blocks.{{}}.attention.{part}_proj" for part in "qkv"),
        "encoder.layer.{}.attention.output.dense": "blocks.{}.attention.out_proj",
        "encoder.layer.{}.mlp.gated_layers": ("blocks.{}.gate", "blocks.{}.up"),
        "encoder.layer.{}.mlp.wo": "blocks.{}.down",
        "encoder.layer.{}.mlp.layernorm": "blocks.{}.mlp_norm",
    },
    unused=UNUSED_OF_BERT,
)  # fmt: skip
ESM = Family(
    name="ESM (Nucleotide Transformer, AgroNT)", marks="encoder.layer.0.attention.LayerNorm", prefix="esm.",
    post_norm=False, counts_padding=True, places=(("absolute", "learned"), ("rotary", "rope")),
    names={
        **ATTENTION,
        "embeddings.layer_norm": "embed_norm",
        "encoder.layer.{}.attention.LayerNorm": "blocks.{}.attention_norm",
        UP: "blocks.{}.up",
        "encoder.layer.{}.LayerNorm": "blocks.{}.mlp_norm",
        "encoder.emb_layer_norm_after": "last_norm",
        "lm_head.dense": "to_hidden",
        "lm_head.layer_norm": "hidden_norm",
        "lm_head.decoder": "to_words",
        "lm_head": "to_words",
    },
    unused=("contact_head.", "embeddings.position_ids", "pooler."),
)  # fmt: skip
FAMILIES = (MOSAIC, BERT, ESM)
OF_WORDS = ("words.weight", "to_words.weight", "to_words.bias")  # parameters with a row per word
OLD_ENDS = {"gamma": "weight", "beta": "bias"}  # of norms, in files from the times of TensorFlow


def family_of(names: Mapping[str, Any]) -> Family | None:
    """The family that a file with these weights is of."""
    return next((family for family in FAMILIES if any(
        name.removeprefix(family.prefix).rpartition(".")[0] == family.marks for name in names)), None)


def licence_of(config: Mapping[str, Any], readme: str) -> str:
    """What is known of the licence of weights, for people; `readme` is what their page says."""
    said = next((line.partition(":")[2].strip() for line in readme.splitlines() if line.startswith("license:")), "")
    if said:
        return f"licence of these weights, as their README says: {said}"
    if config.get("model_type") == "esm":
        return ("licence of these weights: look where you have them from; InstaDeep gives the Nucleotide Transformer "
                "and AgroNT for non-commercial use only (CC BY-NC-SA 4.0)")  # fmt: skip
    return "licence of these weights: look where you have them from; it goes on in what you make of them"
