"""Configurations: frozen dataclasses that read and write JSON, with presets of width and depth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

from gattn_tg import strict
from gattn_tg.errors import ConfigError
from gattn_tg.kernels.tiles.kinds import KINDS, NONE, BiasKind
from gattn_tg.motif import MotifVocabulary
from gattn_tg.nn.anchors import EVERY, Names, Wanted
from gattn_tg.nn.soft_motifs import SOFT
from gattn_tg.ops.attention.problem import Window
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.ops.overlaps import ROWS

SCALINGS = ("none", "linear", "ntk", "yarn")
NO_MOTIF = NONE.name
MAX_MOTIFS = 256  # ids are bytes
STARTS = ("tata_box", "tata_box-", "gc_box")  # classes near starts of transcription; rare, so that anchors reach far
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
            raise ConfigError(f"{cls.__name__}: line {error.lineno}: expected JSON, got text that does not parse "
                              f"({error.msg}); restore the file") from error
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Read a mapping of field names to values, strictly; fields that are left out have their defaults."""
        return strict.read(cls, values, cls.__name__)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The configuration of a name (tiny, small, base; some kinds also long), with some fields changed.

        Raises:
            ConfigError: no such preset, or a change that `from_dict` refuses.
        """
        strict.require_one_of(name, cls.presets, f"{cls.__name__} preset")
        return cls.from_dict({**cls.presets[name], **changes})

    def require_one_of(self, name: str, known: tuple[str, ...]) -> None:
        """Raise ConfigError unless a field has one of the known words."""
        strict.require_one_of(getattr(self, name), known, f"{type(self).__name__} {name}")

    def require_from(self, least: int, *names: str, most: int = strict.LARGEST) -> None:
        """Raise ConfigError unless these fields are from `least` to `most`."""
        wanted = f"at least {least}" if most == strict.LARGEST else f"from {least} to {most}"
        for name in names:
            self.require(least <= getattr(self, name) <= most, name, wanted)

    def require(self, holds: bool, name: str, wanted: str) -> None:
        """Raise ConfigError unless a field holds what is wanted of it."""
        strict.require(holds, f"{type(self).__name__} {name}", wanted, getattr(self, name))


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
        window_bp: bases on either side that attention sees from a base (from a bin, for bins); 0 for all. Time then
            grows with the length of a sequence and not with its square, and layers carry what is further away.
        anchors: bases that all others see, and that see all, beside their window: those of a motif class of the
            vocabulary ("cpg_island") or of several (a list), or "every 64" for one in so many; "" for none. Bins are
            anchors by the motif id that stands for them. In a language model an anchor is seen by later bases only.
        n_anchors: anchors of a sequence at the most. Of more candidates as many are taken, spread evenly; by a
            language model, which must not know how many will come, the first ones.
        anchor_ids: motif ids of the classes in `anchors`, which follow from the vocabulary of the data; empty takes
            those of the default vocabulary.
        rope_theta: base of the rotary wavelengths.
        rope_scaling: for contexts longer than those of training: "linear" divides positions by rope_factor, "ntk"
            stretches the long wavelengths only, "yarn" leaves those alone that turn often within rope_context and
            divides those that do not, "none" changes nothing.
        rope_factor: how many times longer the context becomes.
        rope_context: tokens of the sequences of training, for "yarn".
        dropout: share of channels dropped on each residual branch while training.
    """

    derived: ClassVar[tuple[str, ...]] = ("anchor_ids",)  # fields that follow from the data of any task
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
    window_bp: int = 0
    anchors: Names = ""
    n_anchors: int = 1_024
    anchor_ids: tuple[int, ...] = ()
    rope_theta: float = 10_000.0
    rope_scaling: str = "none"
    rope_factor: float = 1.0
    rope_context: int = 0
    dropout: float = 0.1

    def __post_init__(self) -> None:
        self.require_from(1, "width", "n_heads", "mlp_ratio")
        self.require_from(1, "n_layers", most=MAX_LAYERS)
        self.require_from(1, "n_motifs", most=MAX_MOTIFS)
        self.require_from(0, "n_kv_heads", "window_bp")
        self.require_from(1, "n_anchors")
        self.require_one_of("motif", (*BIASES, NO_MOTIF))
        self.require_one_of("rope_scaling", SCALINGS)
        is_told = self.rope_scaling != "yarn" or self.rope_context > 0
        self.require(is_told, "rope_context", "the tokens of the sequences of training, which yarn must know")
        self.require(0.0 <= self.dropout < 1.0, "dropout", "a share from 0 up to 1 (1 excluded)")
        below = self.width - self.width % self.n_heads
        nearest = f"a multiple of n_heads = {self.n_heads}, the nearest are {below} and {below + self.n_heads}"
        self.require(below == self.width, "width", nearest)
        for name in ("tie_strands", "anchor_ids"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not isinstance(self.anchors, str):
            object.__setattr__(self, "anchors", tuple(self.anchors))
        self._require_anchors()

    def _require_anchors(self) -> None:
        classes, step = self.wanted_anchors.classes, self.wanted_anchors.step
        self.require(not self.anchors or self.window_size is not None, "anchors", "'' without a window, in which every "
                     "base sees all; set window_bp")
        is_whole = step is None or (step > 0 and step % self.token_bp == 0)
        self.require(is_whole, "anchors", f"{EVERY!r} and a number of bases from 1 up, of whole tokens of "
                     f"{self.token_bp}")
        of_filters = "no motif classes, as filters take the place of motif ids"
        self.require(not (classes and self.weighs_motifs), "anchors", f"{of_filters}, but {EVERY!r} and a number")
        self.require(len(set(classes)) == len(classes) and "" not in classes, "anchors", "different names of classes")
        self.require(len(self.anchor_ids) in (0, len(classes)), "anchor_ids", "an id for each class in anchors")
        self.require(all(0 < i < self.n_motifs for i in self.anchor_ids), "anchor_ids",
                     f"motif ids from 1 to n_motifs - 1 = {self.n_motifs - 1}")

    @property
    def wanted_anchors(self) -> Wanted:
        """What `anchors` asks for."""
        return Wanted.of(self.anchors)

    @property
    def ids_of_anchors(self) -> tuple[int, ...]:
        """Motif ids of the classes that are anchors.

        Raises:
            ConfigError: no vocabulary was given, and the default one does not have such a class.
        """
        return self.anchor_ids or self.with_vocabulary(MotifVocabulary.default()).anchor_ids

    def with_vocabulary(self, vocabulary: MotifVocabulary) -> Self:
        """The same with the motif ids that its classes have in a vocabulary.

        Raises:
            ConfigError: a class that the vocabulary does not have.
        """
        classes = self.wanted_anchors.classes
        for name in classes:
            strict.require_one_of(name, vocabulary.names[1:], f"{type(self).__name__} anchors")
        return replace(self, anchor_ids=tuple(map(vocabulary.names.index, classes))) if classes else self

    @property
    def bias(self) -> BiasKind:
        """What its kind says of the motif bias."""
        return KINDS.get(self.motif, NONE)

    @property
    def n_weights(self) -> int:
        """Rows of the embedding of motifs and entries along an axis of a motif table."""
        return self.n_motifs

    @property
    def weighs_motifs(self) -> bool:
        """Whether strengths of motifs that the model has learnt take the place of motif ids."""
        return False

    @property
    def reads_motifs(self) -> bool:
        """Whether the model looks at motif ids at all."""
        return self.embed_motifs or self.motif != NO_MOTIF or bool(self.wanted_anchors.classes)

    @property
    def longest_bp(self) -> int | None:
        """Bases of the longest sequence that the model is made for; None where any length will do."""
        return None

    @property
    def only_bp(self) -> int | None:
        """Bases of every sequence, where the model reads one length only."""
        return None

    @property
    def has_base_gradients(self) -> bool:
        """Whether weights over bases may stand in place of their ids, so that an answer has a gradient in them."""
        return self.motif in (NO_MOTIF, *SOFT)

    @property
    def token_bp(self) -> int:
        """Bases that one token of the attention stands for."""
        return 1

    @property
    def window_size(self) -> Window | None:
        """Tokens (left, right) that attention sees from one; None for all."""
        tokens = self.window_bp // self.token_bp
        return (tokens, tokens) if tokens else None

    def least_floats(self, positions: int, *, is_training: bool, recomputes: bool = False) -> int:
        """Numbers that are in memory at once for a row of so many positions, at the least.

        For a backward pass every block keeps its input, two norms, q, k, v, the output of attention, its projection,
        and what the perceptron has inside, twice; with `recomputes` its input only. Of other blocks one is in memory,
        of long sequences with the inside of its perceptron for a piece of them (`nn.pieces`).
        """
        inside = 2 * self.mlp_ratio
        if is_training and not recomputes:
            return positions * self.width * self.n_layers * (8 + inside)
        one = 4 + (inside if positions <= ROWS else 0)
        return positions * self.width * (one + (self.n_layers if is_training else 0))

    def rope(self) -> Rope | None:
        """The rotary positions of the attention, or None."""
        linear = self.rope_factor if self.rope_scaling == "linear" else 1.0
        ntk = self.rope_factor if self.rope_scaling == "ntk" else 1.0
        yarn = self.rope_factor if self.rope_scaling == "yarn" else 1.0
        return Rope(theta=self.rope_theta, linear_scale=linear, ntk_scale=ntk, yarn_scale=yarn,
                    yarn_context=max(self.rope_context, 1))
