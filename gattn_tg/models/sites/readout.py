"""What the answers of a `SiteModel` mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gattn_tg.data.sites.listed import require_pattern
from gattn_tg.errors import ConfigError
from gattn_tg.models.readouts.bases import BlockReadout
from gattn_tg.models.readouts.readout import LONGEST_BP
from gattn_tg.types import Float

Target = Literal["label", "share"]
MOST_SITES = 1 << 16  # of a row


@dataclass(frozen=True, kw_only=True)
class SparseReadout(BlockReadout):
    """One answer for each of sparse sites: the probability of yes, or the share of reads that say yes.

    Args:
        target: which of the two was learnt, "label" or "share".
        both_strands: it is the mean over both strands, unless one is asked for.
        pattern: IUPAC letters of a site, by which sites are found; "" where they are listed.
        site_bp: bases of a site.
        n_sites: sites that attend to each other.
        mean: of every fact of `data.sites.surroundings` in training.
        sd: standard deviation of every fact there.
    """

    target: Target
    both_strands: bool
    pattern: str
    site_bp: int
    n_sites: int
    mean: tuple[float, ...]
    sd: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.pattern:
            require_pattern(self.pattern)
        if not (1 <= self.site_bp <= LONGEST_BP and 1 <= self.n_sites <= MOST_SITES):
            raise ConfigError(f"SparseReadout: expected site_bp from 1 to {LONGEST_BP:,} and n_sites from 1 to "
                              f"{MOST_SITES:,}, got {self.site_bp} and {self.n_sites}")
        if self.pattern and len(self.pattern) != self.site_bp:
            raise ConfigError(f"SparseReadout: expected a pattern of site_bp = {self.site_bp} letters, got "
                              f"{self.pattern!r}")

    def check(self, config: Any) -> None:
        """Raise ConfigError unless there is a mean and a deviation for every fact, and a site fits what is read."""
        n = config.n_facts
        if not len(self.mean) == len(self.sd) == n or min(self.sd, default=1) <= 0:
            raise ConfigError(f"expected a mean and an sd above 0 for each of {n} facts, got {len(self.mean)} and "
                              f"{len(self.sd)}")
        if self.site_bp > config.around_bp:
            raise ConfigError(f"expected sites of at most around_bp = {config.around_bp} bases, got {self.site_bp}")

    def scaled(self, facts: Float[np.ndarray, "s f"]) -> Float[np.ndarray, "s f"]:
        """Facts as the network reads them: (x - mean) / sd."""
        found: np.ndarray = ((facts - np.array(self.mean)) / np.array(self.sd)).astype(np.float32)
        return found

    def shares(self, z: Float[np.ndarray, "s"]) -> Float[np.ndarray, "s"]:
        """Probabilities, or shares: the sigmoid of the log odds."""
        found: np.ndarray = 0.5 * (1 + np.tanh(0.5 * z.astype(np.float64)))  # without overflow
        return found
