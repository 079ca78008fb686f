"""The names that each family of encoders gives to its weights, and what its config.json says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Names = dict[str, str | tuple[str, ...]]

ATTENTION: Names = {
    "encoder.layer.{}.attention.self.query": "blocks.{}.attention.q_proj",
    "encoder.layer.{}.attention.self.key": "blocks.{}.attention.k_proj",
    "encoder.layer.{}.attention.self.value": "blocks.{}.attention.v_proj",
    "encoder.layer.{}.attention.output.dense": "blocks.{}.attention.out_proj",
    "encoder.layer.{}.output.dense": "blocks.{}.down",
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "positions",
}


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
        counts_padding: positions count from behind the number of the padding token.
    """

    name: str
    marks: str
    names: Names
    prefix: str
    post_norm: bool
    unused: tuple[str, ...]
    counts_padding: bool = False

    def of_layers(self, n_layers: int, is_gated: bool) -> dict[str, tuple[str, ...]]:
        """Every module by its name in the file, for so many layers.

        Args:
            n_layers: blocks.
            is_gated: the first matrix of the perceptron holds the gate too, whose rows come first.
        """
        names = dict(self.names)
        if is_gated:
            names["encoder.layer.{}.intermediate.dense"] = ("blocks.{}.gate", "blocks.{}.up")
        found: dict[str, tuple[str, ...]] = {}
        for theirs, ours in names.items():
            parts = (ours,) if isinstance(ours, str) else ours
            for i in range(n_layers) if "{}" in theirs else (0,):
                found[theirs.format(i)] = tuple(part.format(i) for part in parts)
        return found


BERT = Family(
    name="BERT (DNABERT)", marks="embeddings.token_type_embeddings", prefix="bert.", post_norm=True,
    names={
        **ATTENTION,
        "embeddings.token_type_embeddings": "types",
        "embeddings.LayerNorm": "embed_norm",
        "encoder.layer.{}.attention.output.LayerNorm": "blocks.{}.attention_norm",
        "encoder.layer.{}.intermediate.dense": "blocks.{}.up",
        "encoder.layer.{}.output.LayerNorm": "blocks.{}.mlp_norm",
        "cls.predictions.transform.dense": "to_hidden",
        "cls.predictions.transform.LayerNorm": "hidden_norm",
        "cls.predictions.decoder": "to_words",
        "cls.predictions": "to_words",
    },
    unused=("pooler.", "cls.seq_relationship.", "embeddings.position_ids"),
)  # fmt: skip
ESM = Family(
    name="ESM (Nucleotide Transformer, AgroNT)", marks="encoder.layer.0.attention.LayerNorm", prefix="esm.",
    post_norm=False, counts_padding=True,
    names={
        **ATTENTION,
        "embeddings.layer_norm": "embed_norm",
        "encoder.layer.{}.attention.LayerNorm": "blocks.{}.attention_norm",
        "encoder.layer.{}.intermediate.dense": "blocks.{}.up",
        "encoder.layer.{}.LayerNorm": "blocks.{}.mlp_norm",
        "encoder.emb_layer_norm_after": "last_norm",
        "lm_head.dense": "to_hidden",
        "lm_head.layer_norm": "hidden_norm",
        "lm_head.decoder": "to_words",
        "lm_head": "to_words",
    },
    unused=("contact_head.", "embeddings.position_ids", "pooler."),
)  # fmt: skip
FAMILIES = (BERT, ESM)
FOREIGN = {  # forms that are known and not read here: a part of a name -> what they are
    ".Wqkv.": "MosaicBERT (DNABERT-2): attention with ALiBi and words of byte-pair encoding",
}
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
