"""The configuration of a `SiteModel`."""

from __future__ import annotations

from dataclasses import dataclass

from gattn_tg.data.sites.surroundings import n_facts
from gattn_tg.models.bins import DEFAULT_RANKS
from gattn_tg.models.config import TrunkConfig

MOST_FAR_BP = 1 << 20  # of sequence that is counted on either side of a site


@dataclass(frozen=True, kw_only=True)
class SiteConfig(TrunkConfig):
    """What a `SiteModel` is made of, beside the fields of `TrunkConfig`, which describe the attention among sites.

    Args:
        around_bp: bases around a site that the convolution reads, a multiple of pool_bp.
        pool_bp: bases whose mean the convolution hands on.
        local_width: channels of the convolution.
        stem_kernel: bases that the convolution sees at once (odd).
        composition_bp: distances within which GC and CpG content, and the like, are told of every site, see
            `data.sites.surroundings`.
        site_ranks: motif ids, the most telling first: the first that occurs around a site becomes the id of the site.
        rope_scaling: as in all models; sites are far apart, so that "linear" is usual.
        rope_factor: bases that count as one position.
    """

    around_bp: int = 128
    pool_bp: int = 16
    local_width: int = 16
    stem_kernel: int = 9
    composition_bp: tuple[int, ...] = (100, 500, 2_000, 8_000, 32_000)
    site_ranks: tuple[int, ...] = DEFAULT_RANKS
    rope_scaling: str = "linear"
    rope_factor: float = 16.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_from(1, "around_bp", "pool_bp", "local_width", "stem_kernel")
        nearest = f"a multiple of pool_bp = {self.pool_bp}"
        self.require(self.around_bp % self.pool_bp == 0, "around_bp", nearest)
        self.require(self.stem_kernel % 2 == 1, "stem_kernel", "an odd number of bases")
        self.require(not self.window_bp, "window_bp", "0; [data] n_sites says how many sites attend to each other")
        fits = all(1 <= span <= MOST_FAR_BP for span in self.composition_bp)
        self.require(fits, "composition_bp", f"distances from 1 to {MOST_FAR_BP}")
        known = all(0 <= motif < self.n_motifs for motif in self.site_ranks)
        self.require(known, "site_ranks", f"motif ids below n_motifs = {self.n_motifs}")

    @property
    def n_facts(self) -> int:
        """Numbers that are told of every site."""
        return n_facts(self.composition_bp)

    @property
    def n_local(self) -> int:
        """Numbers that the convolution hands on of every site."""
        return self.around_bp // self.pool_bp * self.local_width

    def least_floats(self, positions: int, *, is_training: bool, recomputes: bool = False) -> int:
        """As `TrunkConfig.least_floats`: attention is among sites, the convolution around each of them."""
        around = positions * self.around_bp * (4 + self.local_width)
        of_blocks = super().least_floats(positions, is_training=is_training, recomputes=recomputes)
        return of_blocks + around * (2 if is_training else 1)
