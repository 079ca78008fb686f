"""How a parameter learns, by its name: how fast if at all, with decay or without, rounded to bfloat16 or not."""

from __future__ import annotations

from collections.abc import Mapping

from tinygrad import Tensor, dtypes

from gattn_tg.training.settings import TrainSettings

# What is not learnt: what was counted in the training set, and what is chosen on the validation set.
FIXED = ("evidence.mean", "evidence.sd", "pairs.mean", "pairs.sd", "blend.weight")


def is_motif_table(name: str) -> bool:
    """True for the learnable tables of the motif bias."""
    return name.split(".")[-1] == "motif_bias"


def is_linear(name: str) -> bool:
    """True for the weights of the linear models beside a network."""
    return name.split(".")[0] in ("kmers", "placed", "evidence", "pairs")


def multiple(name: str, settings: TrainSettings) -> float:
    """The learning rate of a parameter in multiples of the others; 0 where it is not learnt."""
    if name in FIXED:
        return 0.0
    if name.startswith("filters."):
        return settings.filter_rate
    return settings.motif_rate if is_motif_table(name) else 1.0


def is_decayed(name: str, parameter: Tensor) -> bool:
    """True for weight matrices and kernels: parameters with two axes or more that are no tables.

    Motif filters are not drawn to 0 either: they begin as matrices, and 0 is none.
    """
    return parameter.ndim >= 2 and not (is_motif_table(name) or is_linear(name) or name.startswith("filters."))


def narrow(parameters: Mapping[str, Tensor]) -> None:
    """Rounds those parameters to bfloat16 that a loss in bfloat16 sees rounded; layers then compute in it."""
    for name, p in parameters.items():
        if is_decayed(name, p):
            p.replace(p.cast(dtypes.bfloat16).realize())
