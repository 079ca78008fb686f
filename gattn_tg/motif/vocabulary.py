"""The motif vocabulary: which classes there are, their ids, strands, colours, and which wins where they overlap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gattn_tg.errors import ConfigError
from gattn_tg.motif import vocabulary_toml
from gattn_tg.motif.motif_class import NONE_COLOUR, NONE_NAME, MotifClass
from gattn_tg.motif.rules import Measured

MAX_MOTIFS = 256
"""Ids are bytes. Models take 16 unless told otherwise: one-hot motifs then fill one step of a 16-wide matrix unit."""


@dataclass(frozen=True)
class MotifVocabulary:
    """One to 255 motif classes; class `k` of the tuple has id `k + 1`, and id 0 means no motif.

    Two classes with the same rule, one "forward" and one "reverse", are partners: on the reverse complement each is
    found where the other was. Partners share a priority, any other two classes differ in it, so what a base belongs
    to never depends on the strand it is read from.

    Raises:
        ConfigError: no class or too many, a name twice, or priorities that break the rule above.
    """

    classes: tuple[MotifClass, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) < MAX_MOTIFS:
            raise ConfigError(
                f"motif vocabulary: expected 1 to {MAX_MOTIFS - 1} classes, for ids 1..{MAX_MOTIFS - 1}, "
                f"got {len(self.classes)}; " + ("merge rare ones" if self.classes else "add one")
            )
        for second, motif in enumerate(self.classes):
            for first in self.classes[:second]:
                self._check_pair(first, motif)

    @staticmethod
    def _check_pair(first: MotifClass, second: MotifClass) -> None:
        both = f"motif vocabulary: classes {first.name!r} and {second.name!r}"
        if first.name == second.name:
            raise ConfigError(f"{both}: expected different names, got the same; rename one")
        if first.rule == second.rule and (
            first.strand == second.strand or "either" in (first.strand, second.strand)
        ):
            raise ConfigError(
                f"{both}: expected different rules or opposite strands, got the same rule on "
                f"strands {first.strand!r} and {second.strand!r}; remove one"
            )
        partners = first.rule == second.rule
        if partners and first.priority != second.priority:
            raise ConfigError(
                f"{both}: expected one priority for the two strands of a rule, got "
                f"{first.priority} and {second.priority}; give both the same"
            )
        if not partners and first.priority == second.priority:
            raise ConfigError(
                f"{both}: expected different priorities, got {first.priority} for both; "
                "say which one wins where they overlap"
            )

    @classmethod
    def default(cls) -> MotifVocabulary:
        """Return the documented vocabulary of `default_vocabulary.toml`: 15 classes, ids 1..15."""
        return cls.from_toml(Path(__file__).with_name("default_vocabulary.toml"))

    @classmethod
    def methylation(cls) -> MotifVocabulary:
        """Return the vocabulary of `methylation_vocabulary.toml`: methylated CpG, unmethylated ones, and others."""
        return cls.from_toml(Path(__file__).with_name("methylation_vocabulary.toml"))

    @classmethod
    def from_toml(cls, source: Path | str) -> MotifVocabulary:
        """Read a vocabulary from a file (Path) or from TOML text (str).

        Raises:
            FormatError: not TOML, or not of the form that `to_toml` writes; the text names file, class and key.
            ConfigError: a value that no vocabulary can have.
        """
        rows = vocabulary_toml.read(source)
        return cls(tuple(MotifClass(**row) for row in rows))

    def to_toml(self) -> str:
        """Return the vocabulary as TOML; reading it back gives an equal vocabulary, and writing that the same text."""
        return vocabulary_toml.write(self.classes)

    @property
    def n_motifs(self) -> int:
        """Number of ids, id 0 included."""
        return len(self.classes) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each id; id 0 is "none"."""
        return (NONE_NAME, *(motif.name for motif in self.classes))

    @property
    def colours(self) -> tuple[str, ...]:
        """Colour of each id as `#rrggbb`."""
        return (NONE_COLOUR, *(motif.colour for motif in self.classes))

    @cached_property
    def complement(self) -> tuple[int, ...]:
        """Id that each id becomes on the reverse complement: partners swap, every other id stays.

        An involution. A directional class without its partner stays too, although its sites are not found again:
        see `is_strand_symmetric`.
        """
        return tuple(
            0
            if not k
            else next((j + 1 for j, other in enumerate(self.classes) if self._partners(k - 1, j)), k)
            for k in range(self.n_motifs)
        )

    def _partners(self, first: int, second: int) -> bool:
        return first != second and self.classes[first].rule == self.classes[second].rule

    @property
    def states(self) -> str:
        """The states of measured bases that some class stands for, see `rules.Measured`; none where letters say all."""
        return "".join(sorted({motif.rule.state for motif in self.classes if isinstance(motif.rule, Measured)}))

    @property
    def is_strand_symmetric(self) -> bool:
        """Whether annotating the reverse complement gives exactly `complement[ids][::-1]`."""
        other = self.complement
        return all(m.strand == "either" or other[k] != k for k, m in enumerate(self.classes, start=1))
