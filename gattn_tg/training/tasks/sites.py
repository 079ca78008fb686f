"""Sparse sites along a genome, as how much CpGs are methylated: a SiteModel, whose tokens are sites."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from tinygrad import Tensor

from gattn_tg.data.draws import PLACE, flips
from gattn_tg.data.genomes.stretches import open_windows, vocabulary_in
from gattn_tg.data.sampler import Sampler
from gattn_tg.data.sites.blocks import inside
from gattn_tg.data.sites.listed import SiteList, found_sites, listed_sites, require_pattern, stretches_of
from gattn_tg.data.sites.measured import MeasuredSites, read_counted_sites, read_labelled_sites
from gattn_tg.data.sites.neighbours import SiteRows, Window
from gattn_tg.data.sites.surroundings import scale_of, surroundings
from gattn_tg.errors import ConfigError
from gattn_tg.metrics.classes import auc
from gattn_tg.metrics.correlation import pearson, spearman
from gattn_tg.metrics.logistic import slopes_and_level
from gattn_tg.metrics.precision import average_precision
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.captured.inputs import Inputs
from gattn_tg.models.captured.strands import require_symmetric
from gattn_tg.models.kinds import kind_of
from gattn_tg.models.sites.answers import SiteAnswers
from gattn_tg.models.sites.readout import MOST_SITES, SparseReadout, Target
from gattn_tg.ops.poisson import binary_cross_entropy
from gattn_tg.strict import require
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.task import Arrays, Device
from gattn_tg.training.tasks.blocks import BlockSettings, of_one_value
from gattn_tg.training.tasks.remarks import of_few_windows
from gattn_tg.types import Bool, Float

MONITORS: dict[Target, dict[str, bool]] = {
    "label": {"loss": False, "auc": True, "average_precision": True},
    "share": {"loss": False, "pearson": True, "spearman": True},
}
PULL = 1.0  # of the regression on facts that a network begins as
INPUTS = ("bases", "motif_ids", "lengths", "positions", "facts")  # of the network, in its order


@dataclass(frozen=True, kw_only=True)
class SiteSettings(BlockSettings):
    """The [data] table of a `SiteModel`.

    Args:
        label_column: Column of `labels` with 0 and 1; a cell that is empty, NA or nan is not known and does not count.
        count_column: In place of label_column: column with the reads that say yes at a site, as the methylated ones.
        coverage_column: With it, column with all reads of the site. Their share is learnt, weighted by the reads; a
            site without reads does not count.
        most_coverage: A site weighs no more than one of so many reads.
        pattern: IUPAC letters of a site, as CG: all places of it are tokens, whether `labels` names them or not, and
            `gattn predict` finds them. "" takes the sites of `labels` only.
        n_sites: Sites that attend to each other.
    """

    block_bp: int = 10_000
    label_column: str = ""
    count_column: str = ""
    coverage_column: str = ""
    most_coverage: int = 20
    pattern: str = ""
    n_sites: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        one = bool(self.label_column) != bool(self.count_column)
        require(one, "label_column", "this or count_column, and not both", self.label_column)
        together = bool(self.count_column) == bool(self.coverage_column)
        require(together, "coverage_column", "a column beside count_column, and only there", self.coverage_column)
        require(self.most_coverage >= 1, "most_coverage", "at least 1", self.most_coverage)
        require(1 <= self.n_sites <= MOST_SITES, "n_sites", f"from 1 to {MOST_SITES}", self.n_sites)
        if self.pattern:
            require_pattern(self.pattern)

    @property
    def target(self) -> Target:
        """What is learnt."""
        return "label" if self.label_column else "share"

    def read(self, config: TrainConfig) -> list[MeasuredSites]:
        """The sites of `labels`."""
        path = config.file("labels", self.labels)
        if self.label_column:
            return read_labelled_sites(path, self.label_column)
        return read_counted_sites(path, self.count_column, self.coverage_column, self.most_coverage)


@dataclass(frozen=True)
class SiteData:
    """The sites and what is known of them, one value per site of `rows`.

    Args:
        rows: all sites, with facts of mean 0 and deviation 1 over the training sites.
        target: 0 or 1, or a share; 0 where nothing is known.
        weight: 0 there, 1 on average of the sites that are known.
        parts: train, valid and, where there is one, test: which known sites are in it.
        readout: the scale of the facts, and what was learnt.
    """

    rows: SiteRows
    target: Float[np.ndarray, "S"]
    weight: Float[np.ndarray, "S"]
    parts: Mapping[str, Bool[np.ndarray, "S"]]
    readout: SparseReadout


class Sites:
    """The task of a model of sparse sites: every pass sees each labelled site of the training blocks about once.

    The network begins as a logistic regression of the training sites on their facts. Its answers are not scaled to fit
    the validation sites afterwards: neighbouring sites are alike, so that a few blocks say little of a scale, and runs
    with other folds, each with a scale of its own, could not be ranked together.

    Args:
        model: Changed in place.
        data: Sites, what is known of them, and their parts.
        settings: The [train] table: batch_size, accumulate, reverse_complement and seed count here.
        device: Where the inputs of `validate` go.
        n_ranks: Processes that train together.
    """

    data_table: ClassVar[type] = SiteSettings
    derived: ClassVar[tuple[str, ...]] = ()
    judged_by: ClassVar[Mapping[str, bool]] = {**MONITORS["label"], **MONITORS["share"]}

    def __init__(
        self, model: Any, data: SiteData, settings: TrainSettings, *, device: Device = None, n_ranks: int = 1
    ) -> None:
        self.model, self.data, self.settings = model, data, settings
        self.readout, self.vocabulary = data.readout, vocabulary_in(data.rows.genome)
        both_strands = data.readout.both_strands
        if both_strands:
            require_symmetric(self.vocabulary)
        self.monitors: Mapping[str, bool] = MONITORS[self.readout.target]
        self.tiles = [tile for tile in data.rows.tiles() if data.parts["train"][tile.first : tile.end].any()]
        per_step = settings.batch_size * settings.accumulate * n_ranks
        self.steps_per_epoch = math.ceil(len(self.tiles) / per_step)
        self.notes = (f"sites: {len(data.rows):,}, of which {int((data.weight > 0).sum()):,} are known",)
        self.warnings = of_few_windows(len(self.tiles), per_step)
        self._answers = SiteAnswers(Forward(model, settings.batch_size, device), both_strands=both_strands)
        self._weight = np.where(data.parts["train"], data.weight, 0).astype(np.float32)

    @classmethod
    def from_config(cls, config: TrainConfig, *, device: Device = None, n_ranks: int = 1) -> Sites:
        """Reads the data and makes the model.

        Raises:
            ConfigError: Settings or data do not fit.
            CoordinateError: A site where there is no sequence, or other letters than those of the pattern.
            FormatError: A file is malformed.
        """
        choices = config.data_settings(SiteSettings)
        genome = open_windows(
            config.resolve(choices.genome), config.vocabulary(choices.vocabulary), regions=choices.regions
        )
        kind = kind_of(config.kind, str(config.path))
        shape: Any = config.model_settings(kind.config)
        shape = config.with_motifs(shape, genome.vocabulary)
        measured = choices.read(config)
        site_bp = measured[0].site_bp
        require(site_bp <= shape.around_bp, "around_bp", f"at least the {site_bp} bases of a site", shape.around_bp)
        wanted = {sites.chrom: sites.starts for sites in measured}
        lists = listed_sites(genome, wanted, site_bp, choices.pattern)
        if choices.pattern:
            on = {sites.place for sites in lists}
            lists = found_sites(genome, choices.pattern, [place for place in stretches_of(genome) if place in on])
        facts = np.concatenate([surroundings(genome, sites, site_bp, shape.composition_bp) for sites in lists])
        target, weight = _values(lists, measured)
        blocks = choices.parts(config, measured)
        parts = {name: np.concatenate([inside(sites, part) for sites in lists]) & (weight > 0)
                 for name, part in blocks.items()}  # fmt: skip
        if empty := [name for name, members in parts.items() if not members.any()]:
            raise ConfigError(f"{config.path}: [data]: expected known sites for {empty[0]}, got none; cells without a "
                              "number, and sites without reads, do not count")
        alike = of_one_value({name: target[members] for name, members in parts.items()}, str(config.path))
        mean, sd = scale_of(facts[parts["train"]])
        readout = SparseReadout(
            target=choices.target, both_strands=choices.both_strands, pattern=choices.pattern, site_bp=site_bp,
            n_sites=choices.n_sites,
            mean=tuple(mean.tolist()), sd=tuple(sd.tolist()),
            blocks=tuple((name, tuple(map(str, part))) for name, part in blocks.items()),
        )  # fmt: skip
        rows = SiteRows(genome, lists, readout.scaled(facts), site_bp, shape.around_bp, choices.n_sites)
        known = weight > 0
        data = SiteData(rows, np.where(known, target, 0), weight / weight[known].mean(), parts, readout)
        model = kind.model(shape, seed=config.train.seed)
        model.begin_with(*_of_facts(data))
        task = cls(model, data, config.train, device=device, n_ranks=n_ranks)
        task.warnings += alike
        return task

    def batch(self, step: int, micro: int, rank: int, n_ranks: int) -> Arrays:
        """Rows of neighbouring sites of this step, micro-batch and rank, moved by up to half a row."""
        n = self.settings
        sampler = Sampler(len(self.tiles), n.batch_size, n.seed, rank, n_ranks)
        at = step * n.accumulate + micro
        moved = (sampler.draws(at, PLACE) % np.uint64(self.data.rows.n_sites + 1)).astype(np.int64)
        windows = [_moved(self.tiles[row], by - self.data.rows.n_sites // 2)
                   for row, by in zip(sampler.rows(at).tolist(), moved.tolist(), strict=True)]  # fmt: skip
        turned = flips(lambda stream: sampler.draws(at, stream), len(windows), n.reverse_complement)
        read = self.data.rows.batch(windows, turned)
        known = (read.at >= 0)[..., None]
        return {**dict(zip(INPUTS, read.read, strict=True)),
                "target": np.where(known, self.data.target[read.at][..., None], 0).astype(np.float32),
                "weight": np.where(known, self._weight[read.at][..., None], 0).astype(np.float32)}

    def loss(self, inputs: Inputs) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Binary cross entropy with the label or the share, summed over the training sites by their weights, and the
        sum of the weights (at least 1)."""
        logits, weight = self.model(*(inputs[name] for name in INPUTS)), inputs["weight"]
        return binary_cross_entropy(logits, inputs["target"], weight), weight.sum().maximum(1.0)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Known sites of each part."""
        return {name: {"sites": int(members.sum())} for name, members in self.data.parts.items()}

    def validate(self) -> dict[str, float]:
        """Metrics of the validation sites.

        Loss, AUC and average precision of labels; loss, Pearson and Spearman correlation of shares.
        """
        return self._measured(self.data.parts["valid"])

    def test(self) -> dict[str, float] | None:
        """The same of the test sites; None without any."""
        return self._measured(self.data.parts["test"]) if "test" in self.data.parts else None

    def predict(self, wanted: Bool[np.ndarray, "S"]) -> Float[np.ndarray, "S"]:
        """What the network says of sites, in log odds; nan at those that are not wanted."""
        return self._answers(self.data.rows, wanted)

    def _measured(self, members: Bool[np.ndarray, "S"]) -> dict[str, float]:
        odds = self.predict(members)[members].astype(np.float64)
        truth, weight = self.data.target[members], self.data.weight[members]
        loss = float((weight * (np.logaddexp(0.0, odds) - truth * odds)).sum() / weight.sum())
        found = {"n": float(members.sum()), "loss": loss}
        if self.readout.target == "label":
            yes = truth > 0.5
            return {**found, "auc": auc(yes, odds), "average_precision": average_precision(yes, odds)}
        said = self.readout.shares(odds)
        return {**found, "pearson": float(pearson(said[:, None], truth[:, None])[0]), "spearman": spearman(said, truth)}

    def fingerprint(self) -> bytes:
        """Digest of the sites of training and validation, what is known of them, and what the network reads of them."""
        content, data = hashlib.sha256(self.vocabulary.to_toml().encode()), self.data
        content.update(repr(data.readout).encode())
        for name in ("train", "valid"):
            for array in (data.parts[name], data.target[data.parts[name]], data.weight[data.parts[name]]):
                content.update(np.ascontiguousarray(array).tobytes())
        content.update(data.rows.starts.tobytes())
        content.update(data.rows.facts.tobytes())
        for tile in self.tiles:
            content.update(data.rows.batch([tile], np.zeros(1, bool)).bases.tobytes())
        return content.digest()


def _of_facts(data: SiteData) -> tuple[Float[np.ndarray, "f"], float]:
    """Slopes and level of a logistic regression of the training sites on their facts."""
    members = data.parts["train"]
    return slopes_and_level(data.rows.facts[members], data.target[members], data.weight[members], PULL)


def _moved(tile: Window, by: int) -> Window:
    """A row of as many sites, moved as far as its stretch allows."""
    n = tile.end - tile.first
    first = min(max(tile.first + by, tile.low), tile.high - n)
    return tile._replace(first=first, end=first + n)


def _values(
    lists: Sequence[SiteList], measured: Sequence[MeasuredSites]
) -> tuple[Float[np.ndarray, "S"], Float[np.ndarray, "S"]]:
    """Target and weight of every site of the lists; weight 0 where nothing was measured."""
    known = {group.chrom: group for group in measured}
    targets, weights = [], []
    for sites in lists:
        group = known[sites.chrom]
        at = np.clip(np.searchsorted(group.starts, sites.starts), 0, len(group.starts) - 1)
        same = group.starts[at] == sites.starts
        targets.append(np.where(same, group.target[at], np.nan))
        weights.append(np.where(same, group.weight[at], 0))
    return np.concatenate(targets), np.concatenate(weights)
