"""What the answers of a model mean: what a checkpoint says about its classes, tracks, sites or windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, Self

import numpy as np

from gattn_tg.data.augment import mirrored
from gattn_tg.data.tracks import soft_clipped, unclipped
from gattn_tg.errors import ConfigError
from gattn_tg.models.config import Config
from gattn_tg.types import Float

LONGEST_BP = 1 << 28  # of a window: longer than any chromosome of a human
SEQUENCE, NAME, LABEL = "sequence", "name", "label"  # columns of tables, unless a configuration says others
TASK = "task"
VOCABULARY = "vocabulary"  # stands beside the readout in a checkpoint; every kind of model has one


@dataclass(frozen=True, kw_only=True)
class Readout(Config):
    """Base of the readouts: frozen, and strict when it is read."""

    task: ClassVar[str] = ""  # the word of [data] and of checkpoints, where a kind of model has several readouts

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self | None:
        """Read what `to_about` gave; None where a checkpoint says nothing.

        Raises:
            ConfigError: an unknown or missing field, or a value of the wrong type.
        """
        told = {key: value for key, value in about.items() if key != VOCABULARY}
        return cls.from_dict(told) if told else None

    def to_about(self) -> dict[str, Any]:
        """The readout as JSON values, as config.json holds it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def check(self, config: Any) -> None:
        """Raise ConfigError where the readout does not fit the configuration of its model."""


@dataclass(frozen=True, kw_only=True)
class SequenceReadout(Readout):
    """Base of the answers about a whole sequence: one number for each of some names.

    Args:
        labels: name of each answer, in the order of the outputs of the model.
        sequence_column: column with the sequences, in tables of new sequences as well.
        name_column: column with their names.
        state_column: column with what was measured at their bases; "" where the model reads letters alone.
        shortest: bases of the shortest sequence of training; 0 where it is not known.
        both_strands: training turned strands, so answers are the mean over a sequence and its reverse complement unless
            one strand is asked for.
    """

    word: ClassVar[str] = "answer"  # one of the labels, in messages
    labels: tuple[str, ...]
    sequence_column: str = SEQUENCE
    name_column: str = NAME
    state_column: str = ""
    shortest: int = 0
    both_strands: bool = False

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self | None:
        """Read what `to_about` gave."""
        return super().from_about({key: value for key, value in about.items() if key != TASK})

    def to_about(self) -> dict[str, Any]:
        """The labels, and of the rest what is not as usual: checkpoints of classes stay as they always were."""
        usual = {f.name: f.default for f in fields(self)}
        told = {key: value for key, value in super().to_about().items() if usual[key] != value}
        return told if self.task == ClassReadout.task else {TASK: self.task, **told}

    def check(self, config: Any) -> None:
        """Raise ConfigError unless there are as many labels as outputs."""
        if len(self.labels) != config.n_classes or len(set(self.labels)) < len(self.labels):
            raise ConfigError(f"expected {config.n_classes} labels, one for each {self.word}, got {len(self.labels)}")

@dataclass(frozen=True, kw_only=True)
class ClassReadout(SequenceReadout):
    """One probability for each class of a sequence; they add up to 1.

    Args:
        labels: name of each class, in the order of the logits.
        label_column: column with the class, in tables of sequences whose class is known.
    """

    task: ClassVar[str] = "classes"
    word: ClassVar[str] = "class"
    label_column: str = LABEL


@dataclass(frozen=True, kw_only=True)
class LabelReadout(SequenceReadout):
    """The probability of yes for each of several labels of a sequence; any number of them can hold.

    Args:
        labels: name of each label, which is the column of its 0 and 1.
    """

    task: ClassVar[str] = "labels"
    word: ClassVar[str] = "label"


@dataclass(frozen=True, kw_only=True)
class ValueReadout(SequenceReadout):
    """Measured values of a sequence, in the units of the table.

    Args:
        labels: name of each value, which is its column.
        mean: of each column in the training data.
        sd: standard deviation of each column there.
        loss: "mse": the model says by how many sd a value lies above the mean; "poisson": by how many nats its
            logarithm lies above that of the mean.
    """

    task: ClassVar[str] = "values"
    word: ClassVar[str] = "column"
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    loss: Literal["mse", "poisson"]

    def check(self, config: Any) -> None:
        """Raise ConfigError unless there are as many labels, means and deviations as outputs, and all can be."""
        super().check(config)
        if not len(self.mean) == len(self.sd) == len(self.labels) or min(self.sd, default=1) <= 0:
            raise ConfigError(f"expected a mean and an sd above 0 for each of {len(self.labels)} columns, got "
                              f"{len(self.mean)} and {str(self.sd)[:80]}")
        if self.loss == "poisson" and min(self.mean, default=1) <= 0:
            raise ConfigError(f"expected means above 0 with loss poisson, got {str(self.mean)[:80]}")

    def learnt(self, values: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """Values as the model is to learn them: (y - mean) / sd, or y / mean."""
        mean = np.array(self.mean)
        scaled: np.ndarray = values / mean if self.loss == "poisson" else (values - mean) / np.array(self.sd)
        return scaled

    def values(self, outputs: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """Values that a model predicts with these outputs z: mean + sd z, or mean exp(z)."""
        z, mean = outputs.astype(np.float64), np.array(self.mean)
        with np.errstate(over="ignore"):  # infinite values are refused where answers leave a model
            found: np.ndarray = mean * np.exp(z) if self.loss == "poisson" else mean + np.array(self.sd) * z
        return found


@dataclass(frozen=True, kw_only=True)
class TrackHead(Readout):
    """The tracks of one head of a `TrackModel`, and how counts follow from its rates.

    Args:
        head: name of the head.
        tracks: name of each track.
        assays: assay of each track.
        pairs: track that each track becomes on the other strand; () where all tracks are without strand.
        scale: what the counts of each track were divided by.
        soft_clip: scaled counts above it were learnt as a square root, see `data.tracks.soft_clipped`; 0 for none.
        window_bp: bases that the model saw at once; 0 where an old checkpoint does not say.
    """

    head: str
    tracks: tuple[str, ...]
    scale: tuple[float, ...]
    soft_clip: float
    assays: tuple[str, ...] = ()
    pairs: tuple[int, ...] = ()
    window_bp: int = 0

    def __post_init__(self) -> None:
        n = len(self.tracks)
        if len(self.scale) != n or min(self.scale, default=1) <= 0 or self.soft_clip < 0:
            raise ConfigError(f"TrackHead: expected a scale above 0 for each of {n} tracks and a soft_clip of 0 or "
                              f"more, got {len(self.scale)} and {self.soft_clip}")
        paired = sorted(self.pairs) == list(range(n)) and all(self.pairs[k] == i for i, k in enumerate(self.pairs))
        if self.pairs and not paired:
            raise ConfigError(f"TrackHead: expected for pairs the partner of each of {n} tracks, got "
                              f"{str(self.pairs)[:80]}")
        if not 0 <= self.window_bp <= LONGEST_BP:
            raise ConfigError(f"TrackHead: expected window_bp from 1 to {LONGEST_BP:,}, got {self.window_bp}")

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self | None:
        """Read what `to_about` gave, or what checkpoints had before."""
        return super().from_about({**about, "pairs": ()} if about.get("pairs", ()) is None else about)

    def learnt(self, counts: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """Counts as the model is to predict them: scaled and clipped."""
        return soft_clipped(counts / np.array(self.scale, np.float32), self.soft_clip)

    def counts(self, rates: Float[np.ndarray, "... k"]) -> Float[np.ndarray, "... k"]:
        """Counts that a model expects which predicts these rates: what `learnt` was made of."""
        counts: np.ndarray = unclipped(rates, self.soft_clip) * np.array(self.scale, np.float32)
        return counts

    def mirrored(self, rates: Float[np.ndarray, "b p k"]) -> Float[np.ndarray, "b p k"]:
        """Rates of the other strand as they stand on this one."""
        return mirrored(rates, self.pairs or None)


@dataclass(frozen=True, kw_only=True)
class TrackReadout(Readout):
    """Expected counts for each bin and track.

    Args:
        heads: of a `TrackModel`, in the order of its configuration.
    """

    heads: tuple[TrackHead, ...]

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self | None:
        """Read what `to_about` gave; with one head its fields stand alone."""
        several = about.get("heads", {})
        if several and not isinstance(several, dict):
            raise ConfigError(f"TrackReadout: expected an object of heads by name, got {str(several)[:80]}")
        if odd := [name for name, head in several.items() if not isinstance(head, dict)]:
            raise ConfigError(f"TrackReadout: expected an object for the head {odd[0][:80]!r}, got something else")
        found = [TrackHead.from_about(head) for head in several.values()] if several else [TrackHead.from_about(
            {key: value for key, value in about.items() if key != VOCABULARY})]
        heads = tuple(head for head in found if head is not None)
        return cls(heads=heads) if heads else None

    def to_about(self) -> dict[str, Any]:
        """The only head, or `heads` by name."""
        told = {head.head: head.to_about() for head in self.heads}
        return next(iter(told.values())) if len(told) == 1 else {"heads": told}

    def check(self, config: Any) -> None:
        """Raise ConfigError unless the heads are those of the model."""
        found = tuple((head.head, len(head.tracks)) for head in self.heads)
        if sorted(found) != sorted(config.heads):
            raise ConfigError(f"expected heads with tracks {str(config.heads)[:80]}, got {str(found)[:80]}")
        for head in self.heads:
            n, most = head.window_bp, config.longest_bp
            if most is not None and n > most:
                raise ConfigError(f"expected for window_bp at most the {most} bases that the model was made for, "
                                  f"got {n}")
            if n and (n % config.token_bp or n <= 2 * config.crop_bp):
                raise ConfigError(f"expected for window_bp a multiple of {config.token_bp} above {2 * config.crop_bp}, "
                                  f"got {n}")

    def of(self, name: str | None) -> TrackHead:
        """The head of a name; the first where None.

        Raises:
            ConfigError: no such head.
        """
        found = {head.head: head for head in self.heads}
        if name is not None and name not in found:
            raise ConfigError(f"expected a head named {' or '.join(found)}, got {name!r}; correct it")
        return self.heads[0] if name is None else found[name]


@dataclass(frozen=True, kw_only=True)
class BlockReadout(Readout):
    """Base of the answers about sites of a genome, of which stretches were dealt out to the parts of the data.

    Args:
        blocks: intervals of each part: train, valid, test.
    """

    blocks: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self | None:
        """Read what `to_about` gave."""
        blocks = about.get("blocks")
        return super().from_about({**about, "blocks": list(blocks.items())} if isinstance(blocks, dict) else about)

    def to_about(self) -> dict[str, Any]:
        """The fields, blocks by the name of their part."""
        return {**super().to_about(), "blocks": {name: list(part) for name, part in self.blocks}}


@dataclass(frozen=True, kw_only=True)
class SiteReadout(BlockReadout):
    """The probability of yes for each base.

    Args:
        window_bp: bases that the model saw at once; its inner half was learnt.
        site_bp: bases of a site, which is labelled at its first base on either strand; 2 for CpG.
    """

    window_bp: int
    site_bp: int

    def __post_init__(self) -> None:
        if not 1 <= self.site_bp <= self.window_bp <= LONGEST_BP:
            raise ConfigError(f"SiteReadout: expected 1 <= site_bp <= window_bp <= {LONGEST_BP:,}, got {self.site_bp} "
                              f"and {self.window_bp}")


@dataclass(frozen=True, kw_only=True)
class NextBaseReadout(Readout):
    """The probability of each next base.

    Args:
        width: bases of a window in training.
    """

    width: int


@dataclass(frozen=True, kw_only=True)
class MaskedReadout(Readout):
    """The probability of each hidden base or word.

    Args:
        width: bases of a window in training.
    """

    width: int
