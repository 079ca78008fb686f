"""Configurations: frozen dataclasses that read and write JSON, with presets of width and depth."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

from gattn_tg.errors import ConfigError
from gattn_tg.kernels.tiles.kinds import KINDS, NONE, BiasKind
from gattn_tg.ops.attention.rope import Rope

POSITIONS = ("rope", "learned", "both", "none")
POOLS = ("attention", "mean")
SCALINGS = ("none", "linear", "ntk")
NO_MOTIF = NONE.name
LARGEST = 2**31 - 1  # of the sizes of a model
MAX_MOTIFS = 256  # ids are bytes
MAX_LAYERS = 1_000  # ten times as many as any model of DNA has
BIASES = tuple(name for name, kind in KINDS.items() if not kind.is_map)  # kinds that ids of bases are enough for


@dataclass(frozen=True, kw_only=True)
class Config:
    """What every configuration of a model can do: JSON both ways, strictly, and presets by name."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"tiny": {}}

    def to_json(self) -> str:
        """The configuration as JSON with sorted keys: equal configurations give equal bytes."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ConfigError: not JSON, an unknown or missing field, or a value of the wrong type.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{cls.__name__}: JSON is required, but line {error.lineno} does not parse "
                              f"({error.msg}); restore the file") from error
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Read a mapping of field names to values, strictly; fields that are left out have their defaults."""
        where = cls.__name__
        if not isinstance(values, dict):
            raise ConfigError(f"{where}: an object of fields is required, but {type(values).__name__} came")
        kinds = get_type_hints(cls)
        required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
        known = required + [f.name for f in fields(cls) if f.name not in required]
        if unknown := sorted(set(values) - set(known)):
            raise ConfigError(f"{where}: unknown field {unknown[0]!r}; fields are {', '.join(known)}")
        if missing := [name for name in required if name not in values]:
            raise ConfigError(f"{where}: {missing[0]} is required, but is missing")
        return cls(**{name: _typed(kinds[name], value, f"{where}: {name}") for name, value in values.items()})

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The configuration of a name (tiny, small, base), with some fields changed.

        Raises:
            ConfigError: no such preset, or a change that `from_dict` refuses.
        """
        if name not in cls.presets:
            raise ConfigError(f"{cls.__name__}: preset must be one of {', '.join(cls.presets)}, but is {name!r}")
        return cls.from_dict({**cls.presets[name], **changes})

    def require(self, name: str, allowed: tuple[str, ...]) -> None:
        """Raise ConfigError unless a field has one of the allowed words."""
        if (value := getattr(self, name)) not in allowed:
            raise ConfigError(f"{type(self).__name__}: {name} must be one of {', '.join(allowed)}, but is {value!r}")

    def require_at_least(self, least: int, *names: str) -> None:
        """Raise ConfigError unless these fields are at least so much."""
        for name in names:
            if (value := getattr(self, name)) < least:
                raise ConfigError(f"{type(self).__name__}: {name} must be at least {least}, but is {value}")


@dataclass(frozen=True, kw_only=True)
class TrunkConfig(Config):
    """The fields that all transformers of this package share.

    Args:
        width: channels of the model; heads are width / n_heads wide.
        n_layers: transformer blocks.
        n_heads: query heads.
        n_kv_heads: key and value heads; 0 means n_heads.
        mlp_ratio: widening inside the perceptron.
        motif: kind of motif bias (key pair same ordered between), or "none".
        n_motifs: motif ids, 0 included.
        per_head: one motif table per head.
        motif_start: what the entries for a motif begin with; 0 is plain attention, 1 attends to motifs from the start.
        tie_strands: id map under reverse complement that ties the tables; empty for none.
        embed_motifs: whether motif ids are embedded beside the bases.
        rope_theta: base of the rotary wavelengths.
        rope_scaling: for contexts longer than those of training: "linear" divides positions by rope_factor, "ntk"
            stretches the long wavelengths only, "none" changes nothing.
        rope_factor: how many times longer the context becomes.
        dropout: share of channels dropped on each residual branch while training.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {"width": 64, "n_layers": 2, "n_heads": 4, "mlp_ratio": 2},
        "small": {"width": 128, "n_layers": 4, "n_heads": 4, "mlp_ratio": 4},
        "base": {"width": 256, "n_layers": 8, "n_heads": 8, "mlp_ratio": 4},
    }

    width: int = 64
    n_layers: int = 2
    n_heads: int = 4
    n_kv_heads: int = 0
    mlp_ratio: int = 2
    motif: str = "key"
    n_motifs: int = 16
    per_head: bool = False
    motif_start: float = 0.0
    tie_strands: tuple[int, ...] = ()
    embed_motifs: bool = True
    rope_theta: float = 10_000.0
    rope_scaling: str = "none"
    rope_factor: float = 1.0
    dropout: float = 0.1

    def __post_init__(self) -> None:
        where = type(self).__name__
        self.require_at_least(1, "width", "n_layers", "n_heads", "mlp_ratio", "n_motifs")
        self.require_at_least(0, "n_kv_heads")
        self.require("motif", (*BIASES, NO_MOTIF))
        self.require("rope_scaling", SCALINGS)
        for name, most in (("n_motifs", MAX_MOTIFS), ("n_layers", MAX_LAYERS)):
            if getattr(self, name) > most:
                raise ConfigError(f"{where}: {name} must be at most {most}, but is {getattr(self, name)}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"{where}: dropout must be in [0, 1), but is {self.dropout}")
        if self.width % self.n_heads:
            below = self.width - self.width % self.n_heads
            raise ConfigError(f"{where}: n_heads={self.n_heads} does not divide width={self.width}; nearest widths "
                              f"are {below} and {below + self.n_heads}")
        object.__setattr__(self, "tie_strands", tuple(self.tie_strands))

    @property
    def bias(self) -> BiasKind:
        """What its kind says of the motif bias."""
        return KINDS.get(self.motif, NONE)

    @property
    def reads_motifs(self) -> bool:
        """Whether the model looks at motif ids at all."""
        return self.embed_motifs or self.motif != NO_MOTIF

    @property
    def longest_bp(self) -> int | None:
        """Bases of the longest sequence that the model is made for; None where any length will do."""
        return None

    @property
    def token_bp(self) -> int:
        """Bases that one token of the attention stands for."""
        return 1

    def least_floats(self, positions: int, *, is_training: bool) -> int:
        """Numbers that are in memory at once for a row of so many positions, at the least.

        For a backward pass every block keeps its input, two norms, q, k, v, the output of attention, its projection,
        and what the perceptron has inside, twice; without one a single block is in memory.
        """
        inside = 2 * self.mlp_ratio
        return positions * self.width * (self.n_layers * (8 + inside) if is_training else 4 + inside)

    def rope(self) -> Rope | None:
        """The rotary positions of the attention, or None."""
        linear = self.rope_factor if self.rope_scaling == "linear" else 1.0
        ntk = self.rope_factor if self.rope_scaling == "ntk" else 1.0
        return Rope(theta=self.rope_theta, linear_scale=linear, ntk_scale=ntk)


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(TrunkConfig):
    """What a `SequenceClassifier` is made of, beside the fields of `TrunkConfig`.

    Args:
        n_classes: classes to tell apart.
        positions: rope, learned (an embedding per position, for windows aligned to a site), both, or none.
        max_length: longest sequence in bases; learned positions need it.
        stem_kernel: positions seen by the convolution stem (odd), 0 for no stem.
        pool: attention (learnt weights) or mean.
    """

    n_classes: int
    positions: str = "rope"
    max_length: int = 512
    stem_kernel: int = 9
    pool: str = "attention"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(1, "n_classes", "max_length")
        self.require("positions", POSITIONS)
        self.require("pool", POOLS)

    @property
    def longest_bp(self) -> int | None:
        """Bases of the longest sequence."""
        return self.max_length

    def rope(self) -> Rope | None:
        """The rotary positions of the attention; None where positions are learned, or none."""
        return super().rope() if self.positions in ("rope", "both") else None


def _typed(kind: Any, value: Any, where: str) -> Any:
    """The value as a field of this type holds it: lists become tuples, nothing else is converted."""
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} must be tuple, but is {value!r}")
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) != len(value):
            raise ConfigError(f"{where} must have {len(kinds)} entries, but is {value!r}")
        return tuple(_typed(k, v, where) for k, v in zip(kinds, value, strict=True))
    allowed = (int, float) if kind is float else kind
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, allowed):
        raise ConfigError(f"{where} must be {kind.__name__}, but is {value!r:.80}")
    if (isinstance(value, int) and abs(value) > LARGEST) or (isinstance(value, float) and not math.isfinite(value)):
        raise ConfigError(f"{where} must be a number of at most {LARGEST:,}, but is {str(value)[:80]}")
    return value
