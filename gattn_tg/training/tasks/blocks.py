"""Labelled sites of a genome in blocks that belong to one part each: the keys of [data] that models of sites share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gattn_tg.data.sites.blocks import SiteGroup, blocks_of, dealt, inside, joined, on_contigs, without
from gattn_tg.errors import ConfigError
from gattn_tg.io.bed import read_bed
from gattn_tg.seq.interval import Interval
from gattn_tg.strict import require
from gattn_tg.training.config import TrainConfig

Parts = dict[str, list[Interval]]
"""train, valid and, where there is one, test: the stretches whose sites count there."""


@dataclass(frozen=True, kw_only=True)
class BlockSettings:
    """The keys of a [data] table of labelled sites.

    Args:
        genome: FASTA file, or a folder that `gattn preprocess` wrote.
        labels: TSV with a header: chrom, start, end and columns of what was measured.
        block_bp: Sites are dealt out to training, validation and test in blocks of so many bases.
        valid_fraction: Share of the blocks that the best weights are chosen by.
        test_fraction: Share of the blocks that are looked at once at the end; 0 for no test.
        split_seed: Seed of that choice; it does not depend on the seed of the run.
        fold: Which of the folds of that choice: with test_fraction = 0.25, folds 0 to 3 test every block once.
        valid_contigs: Contigs for validation, in place of valid_fraction.
        test_contigs: Contigs for the test, in place of test_fraction.
        test_regions: BED file: the sites in its intervals are the test, in place of test_fraction.
        both_strands: Predict with the mean logit of both strands.
        vocabulary: "default", or the path of a motif vocabulary in TOML; a folder as genome brings its own.
        regions: Records of the FASTA file that are named `chrom:start-end` lie there in the genome; without it a name
            is that of a contig, whatever it looks like.
    """

    genome: str
    labels: str
    block_bp: int = 20_000
    valid_fraction: float = 0.15
    test_fraction: float = 0.25
    split_seed: int = 0
    fold: int = 0
    valid_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()
    test_regions: str = ""
    both_strands: bool = True
    vocabulary: str = "default"
    regions: bool = False

    def __post_init__(self) -> None:
        require(0 < self.valid_fraction < 1, "valid_fraction", "a share between 0 and 1", self.valid_fraction)
        require(0 <= self.test_fraction < 1, "test_fraction", "a share from 0 up to 1 (1 excluded)", self.test_fraction)
        require(self.block_bp >= 1, "block_bp", "at least 1", self.block_bp)
        require(self.fold >= 0, "fold", "0 or more", self.fold)
        has_folds = self.test_fraction > 0 and not self.test_contigs and not self.test_regions
        require(has_folds or not self.fold, "fold", "0 without a test by test_fraction", self.fold)
        most = round(1 / self.test_fraction) if self.test_fraction else 1
        require(self.fold < most, "fold", f"from 0 to {most - 1}, as there are no more of test_fraction", self.fold)
        named = bool(self.test_contigs) and bool(self.test_regions)
        require(not named, "test_regions", "none beside test_contigs", self.test_regions)
        both = sorted({*self.valid_contigs} & {*self.test_contigs})
        require(not both, "test_contigs", "no contig of valid_contigs", both)

    def parts(self, config: TrainConfig, sites: Sequence[SiteGroup]) -> Parts:
        """The stretches of each part.

        Args:
            config: whose folder the name of a file is relative to.
            sites: all labelled sites, contig by contig.

        Raises:
            ConfigError: a part without a labelled site, or a contig without one.
            FormatError: the BED file is malformed.
        """
        blocks, parts, shares = blocks_of(sites, self.block_bp), Parts(), [1.0]
        if self.test_contigs:
            parts["test"] = on_contigs(blocks, self.test_contigs, "test_contigs")
        elif self.test_regions:
            path = config.file("test_regions", self.test_regions)
            parts["test"] = joined(record.interval for record in read_bed(path))
        left = without(blocks, parts.get("test", ()))
        if self.valid_contigs:
            parts["valid"] = on_contigs(left, self.valid_contigs, "valid_contigs")
            left = [block for block in left if block.chrom not in self.valid_contigs]
        else:
            shares.append(self.valid_fraction)
        if self.test_fraction and "test" not in parts:
            shares.append(self.test_fraction)
        dealt_out = dealt(left, [1 - sum(shares[1:]), *shares[1:]], self.split_seed, self.fold)
        names = [name for name in ("valid", "test") if name not in parts][: len(shares) - 1]
        parts.update(zip(("train", *names), dealt_out, strict=True))
        for name, part in parts.items():
            if not any(_has_site(group, part) for group in sites):
                raise ConfigError(f"{config.path}: [data]: expected labelled sites for {name}, got none; name other "
                                  "contigs or regions")
        return {name: parts[name] for name in ("train", "valid", "test") if name in parts}


def of_one_value(known: Mapping[str, np.ndarray], where: str) -> tuple[str, ...]:
    """Refuses training sites that are all alike, and remarks on other parts that are.

    Args:
        known: part -> what is known of its sites: labels or shares.
        where: the configuration, for messages.

    Raises:
        ConfigError: one value at all training sites.
    """
    alike = {name: f"{float(values[0]):g}" for name, values in known.items() if (values == values[0]).all()}
    if "train" in alike:
        raise ConfigError(f"{where}: [data] labels: expected different values at the training sites to tell them "
                          f"apart, got {alike['train']} at all {len(known['train']):,}; add other sites, or name "
                          "another column")
    return tuple(f"{name}: {value} at every site, so AUC and correlations are not defined for it"
                 for name, value in alike.items())


def _has_site(group: SiteGroup, part: Sequence[Interval]) -> bool:
    return bool(inside(group, part).any())
