"""Answers at single bases: sites, next bases, hidden bases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gattn_tg.errors import ConfigError
from gattn_tg.models.readouts.readout import LONGEST_BP, Readout


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
