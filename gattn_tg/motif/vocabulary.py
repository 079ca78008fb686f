"""The motif vocabulary: which classes there are, their ids, strands, colours, and which wins where they overlap."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gattn_tg.errors import ConfigError
from gattn_tg.motif import vocabulary_toml
from gattn_tg.motif.rules import Rule

MAX_MOTIFS = 256
"""Ids are bytes. Models take 16 unless told otherwise: one-hot motifs then fill one step of a 16-wide matrix unit."""

NONE_NAME = "none"
NONE_COLOUR = "#d9d9d9"
STRANDS = ("either", "forward", "reverse")

_NAME = re.compile(r"[A-Za-z0-9_+.-]+")
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True)
class MotifClass:
    """One class of motifs, that is, one id.

    Args:
        name: letters, digits and `_+.-`.
        rule: how the class is recognised.
        priority: where classes overlap, the base goes to the highest.
        colour: `#rrggbb`, lower case, for reports and genome browsers.
        strand: "either" counts sites of both strands as one class; "forward" counts those on the strand as given,
            "reverse" those on the opposite one. A rule that is its own reverse complement is always "either".
        source: where the pattern comes from.
    """

    name: str
    rule: Rule
    priority: int
    colour: str
    strand: str = "either"
    source: str = ""

    def __post_init__(self) -> None:
        where = f"motif {self.name!r}"
        if not _NAME.fullmatch(self.name) or self.name == NONE_NAME:
            raise ConfigError(
                f"{where}: a name of letters, digits and _+.- other than 'none' is required, "
                f"but came {self.name!r}; rename the class"
            )
        if self.strand not in STRANDS:
            raise ConfigError(
                f"{where}: strand {', '.join(STRANDS)} is required, but came {self.strand!r}; choose one of them"
            )
        if self.strand != "either" and self.rule.is_symmetric:
            raise ConfigError(
                f"{where}: strand 'either' is required for a rule that reads the same on both strands, "
                f"but came {self.strand!r}; its sites have no direction"
            )
        if not _COLOUR.fullmatch(self.colour):
            raise ConfigError(
                f"{where}: a colour written #rrggbb in lower case is required, but came {self.colour!r}; "
                "for example #1f77b4"
            )
        if not self.source.isprintable():
            raise ConfigError(
                f"{where}: a source of printable characters is required, but came {self.source!r}; "
                "write it on one line"
            )

    @property
    def kind(self) -> str:
        """The word that names the rule in a vocabulary file."""
        return self.rule.kind


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
                f"motif vocabulary: 1 to {MAX_MOTIFS - 1} classes are required, for ids 1..{MAX_MOTIFS - 1}, "
                f"but came {len(self.classes)}; " + ("merge rare ones" if self.classes else "add one")
            )
        for second, motif in enumerate(self.classes):
            for first in self.classes[:second]:
                self._check_pair(first, motif)

    @staticmethod
    def _check_pair(first: MotifClass, second: MotifClass) -> None:
        both = f"motif vocabulary: classes {first.name!r} and {second.name!r}"
        if first.name == second.name:
            raise ConfigError(f"{both}: different names are required, but came the same; rename one")
        if first.rule == second.rule and (
            first.strand == second.strand or "either" in (first.strand, second.strand)
        ):
            raise ConfigError(
                f"{both}: different rules or opposite strands are required, but came the same rule on "
                f"strands {first.strand!r} and {second.strand!r}; remove one"
            )
        partners = first.rule == second.rule
        if partners and first.priority != second.priority:
            raise ConfigError(
                f"{both}: one priority is required for the two strands of a rule, but came "
                f"{first.priority} and {second.priority}; give both the same"
            )
        if not partners and first.priority == second.priority:
            raise ConfigError(
                f"{both}: different priorities are required, but came {first.priority} for both; "
                "say which one wins where they overlap"
            )

    @classmethod
    def default(cls) -> MotifVocabulary:
        """Return the documented vocabulary of `default_vocabulary.toml`: 15 classes, ids 1..15."""
        return cls.from_toml(Path(__file__).with_name("default_vocabulary.toml"))

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
    def is_strand_symmetric(self) -> bool:
        """Whether annotating the reverse complement gives exactly `complement[ids][::-1]`."""
        other = self.complement
        return all(m.strand == "either" or other[k] != k for k, m in enumerate(self.classes, start=1))
