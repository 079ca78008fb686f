"""Configurations: frozen dataclasses that read and write JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from gattn_tg.errors import ConfigError
from gattn_tg.ops.bias import KINDS

POSITIONS = ("rope", "learned", "both", "none")
POOLS = ("attention", "mean")
NO_MOTIF = "none"


@dataclass(frozen=True)
class ClassifierConfig:
    """What a `SequenceClassifier` is made of.

    Args:
        n_classes: classes to tell apart.
        width: channels of the model; heads are width / n_heads wide.
        n_layers: transformer blocks.
        n_heads: query heads.
        n_kv_heads: key and value heads; 0 means n_heads.
        mlp_ratio: widening inside the perceptron.
        motif: kind of motif bias (key pair same ordered between), or "none".
        n_motifs: motif ids, 0 included.
        per_head: one motif table per head.
        tie_strands: id map under reverse complement that ties the tables; empty for none.
        embed_motifs: whether motif ids are embedded beside the bases.
        positions: rope, learned (an embedding per position, for windows aligned to a site), both, or none.
        rope_theta: base of the rotary wavelengths.
        max_length: longest sequence in bases; learned positions need it.
        stem_kernel: positions seen by the convolution stem (odd), 0 for no stem.
        pool: attention (learnt weights) or mean.
        dropout: share of channels dropped on each residual branch while training.
    """

    n_classes: int
    width: int = 64
    n_layers: int = 2
    n_heads: int = 4
    n_kv_heads: int = 0
    mlp_ratio: int = 2
    motif: str = "key"
    n_motifs: int = 16
    per_head: bool = False
    tie_strands: tuple[int, ...] = ()
    embed_motifs: bool = True
    positions: str = "rope"
    rope_theta: float = 10_000.0
    max_length: int = 512
    stem_kernel: int = 9
    pool: str = "attention"
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in ("n_classes", "width", "n_layers", "n_heads", "mlp_ratio", "n_motifs", "max_length"):
            if getattr(self, name) < 1:
                raise ConfigError(f"ClassifierConfig: {name} must be at least 1, but is {getattr(self, name)}")
        for name, allowed in (("positions", POSITIONS), ("pool", POOLS), ("motif", (*_BIASES, NO_MOTIF))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"ClassifierConfig: {name} must be one of {', '.join(allowed)}, but is "
                                  f"{getattr(self, name)!r}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"ClassifierConfig: dropout must be in [0, 1), but is {self.dropout}")
        if self.width % self.n_heads:
            below = self.width - self.width % self.n_heads
            raise ConfigError(f"ClassifierConfig: n_heads={self.n_heads} does not divide width={self.width}; nearest "
                              f"widths are {below} and {below + self.n_heads}")
        object.__setattr__(self, "tie_strands", tuple(self.tie_strands))

    def to_json(self) -> str:
        """The configuration as JSON with sorted keys: equal configurations give equal bytes."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ClassifierConfig:
        """Read what `to_json` wrote.

        Raises:
            ConfigError: not JSON, an unknown or missing field, or a value of the wrong type.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"ClassifierConfig: JSON is required, but line {error.lineno} does not parse "
                              f"({error.msg}); restore the file") from error
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Any) -> ClassifierConfig:
        """Read a mapping of field names to values, strictly."""
        if not isinstance(values, dict):
            raise ConfigError(f"ClassifierConfig: an object of fields is required, but {type(values).__name__} came")
        known = {f.name: f for f in fields(cls)}
        if unknown := sorted(set(values) - set(known)):
            raise ConfigError(f"ClassifierConfig: unknown field {unknown[0]!r}; fields are {', '.join(known)}")
        if "n_classes" not in values:
            raise ConfigError("ClassifierConfig: n_classes is required, but is missing")
        for name, value in values.items():
            wanted = _TYPES[str(known[name].type)]
            allowed = {float: (int, float), tuple: (list, tuple)}.get(wanted, wanted)
            if isinstance(value, bool) != (wanted is bool) or not isinstance(value, allowed):
                raise ConfigError(f"ClassifierConfig: {name} must be {wanted.__name__}, but is {value!r}")
        return cls(**values)


_BIASES = tuple(kind for kind in KINDS if kind != "dense")
_TYPES: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool, "tuple[int, ...]": tuple}
