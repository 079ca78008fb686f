"""One class of motifs: what a vocabulary is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gattn_tg.errors import ConfigError
from gattn_tg.motif.rules import Rule

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
                f"{where}: expected a name of letters, digits and _+.- other than 'none', "
                f"got {self.name!r}; rename the class"
            )
        if self.strand not in STRANDS:
            raise ConfigError(
                f"{where}: expected strand {', '.join(STRANDS)}, got {self.strand!r}; choose one of them"
            )
        if self.strand != "either" and self.rule.is_symmetric:
            raise ConfigError(
                f"{where}: expected strand 'either' for a rule that reads the same on both strands, "
                f"got {self.strand!r}; its sites have no direction"
            )
        if not _COLOUR.fullmatch(self.colour):
            raise ConfigError(
                f"{where}: expected a colour written #rrggbb in lower case, got {self.colour!r}; "
                "for example #1f77b4"
            )
        if not self.source.isprintable():
            raise ConfigError(
                f"{where}: expected a source of printable characters, got {self.source!r}; "
                "write it on one line"
            )

    @property
    def kind(self) -> str:
        """The word that names the rule in a vocabulary file."""
        return self.rule.kind
