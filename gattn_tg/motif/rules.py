"""Rules: the ways in which a motif class is recognised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.motif.at_rich import at_rich, rich_windows
from gattn_tg.motif.islands import CRITERIA, cpg_islands, far_from_islands, island_windows
from gattn_tg.motif.iupac import find_patterns, masks
from gattn_tg.motif.pwm import Counts, check_counts, scan
from gattn_tg.motif.spans import Spans, prefix
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.types import Bool, Int, UInt8

UNMEASURED = "."
"""The state of a base of which nothing was measured."""


@dataclass(frozen=True)
class Consensus:
    """Any of some IUPAC patterns; a list of plain words makes a class of k-mers.

    Args:
        patterns: upper-case IUPAC letters, 5' to 3'.
    """

    kind: ClassVar[str] = "consensus"
    patterns: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.patterns:
            raise ConfigError("motif patterns: expected at least one, got none; give IUPAC letters")
        for pattern in self.patterns:
            masks(pattern)

    @property
    def is_symmetric(self) -> bool:
        """Whether the reverse complements of the patterns are the same set of patterns."""
        return {reverse_complement(pattern) for pattern in self.patterns} == set(self.patterns)

    @property
    def reach_bp(self) -> int:
        """Bases of the longest site."""
        return max(map(len, self.patterns))

    def joints(self, ids: UInt8[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """Return all bases: see `Matrix.joints`."""
        return np.ones(len(ids), dtype=bool)

    def find(self, ids: UInt8[np.ndarray, "n"], *, reverse: bool = False) -> Spans:
        """Return the matches on one strand; an overlap of two matches is two spans."""
        patterns = tuple(map(reverse_complement, self.patterns)) if reverse else self.patterns
        return find_patterns(ids, patterns)

    @property
    def lookback_bp(self) -> int:
        """Bases that `last_bases` looks at to judge one."""
        return self.reach_bp

    def last_bases(self, ids: UInt8[np.ndarray, "n"], *, reverse: bool = False) -> Int[np.ndarray, "k"]:
        """Return the last base of every match: it is known there, without a look ahead."""
        return self.find(ids, reverse=reverse).ends - 1


@dataclass(frozen=True)
class AtRich:
    """Windows in which A and T are frequent.

    Args:
        window_bp: length of the window.
        min_fraction: least fraction of A and T in it.
    """

    kind: ClassVar[str] = "at_rich"
    is_symmetric: ClassVar[bool] = True
    window_bp: int
    min_fraction: float

    def __post_init__(self) -> None:
        if self.window_bp < 1 or not 0 < self.min_fraction <= 1:
            raise ConfigError(
                "motif at_rich: expected window_bp >= 1 and min_fraction in (0, 1], "
                f"got {self.window_bp} and {self.min_fraction}; 20 and 0.9 are the defaults"
            )

    @property
    def reach_bp(self) -> int:
        """0: a stretch may have any length, so the sequence is cut only at `joints`."""
        return 0

    def joints(self, ids: UInt8[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """Return the bases before which no stretch is cut; windows over the ends of `ids` count as stretches."""
        inside = at_rich(ids, self.window_bp, self.min_fraction).covered(len(ids))
        inside[: self.window_bp] = inside[max(len(ids) - self.window_bp, 0) :] = True
        joints = ~inside
        joints[1:] |= ~inside[:-1]
        return joints

    def find(self, ids: UInt8[np.ndarray, "n"], *, reverse: bool = False) -> Spans:
        """Return the stretches; both strands have the same."""
        return at_rich(ids, self.window_bp, self.min_fraction)

    @property
    def lookback_bp(self) -> int:
        """Bases that `last_bases` looks at to judge one."""
        return self.window_bp

    def last_bases(self, ids: UInt8[np.ndarray, "n"], *, reverse: bool = False) -> Int[np.ndarray, "k"]:
        """Return the last base of every window that is rich enough."""
        return np.flatnonzero(rich_windows(ids, self.window_bp, self.min_fraction)) + self.window_bp - 1


@dataclass(frozen=True)
class CpgIslands:
    """CpG islands, scored by their observed/expected ratio.

    Args:
        criteria: "gardiner-garden" or "takai-jones".
    """

    kind: ClassVar[str] = "cpg_island"
    is_symmetric: ClassVar[bool] = True
    criteria: str

    def __post_init__(self) -> None:
        if self.criteria not in CRITERIA:
            raise ConfigError(
                f"motif cpg_island: expected criteria {' or '.join(map(repr, CRITERIA))}, "
                f"got {self.criteria!r}; choose one of them"
            )

    @property
    def reach_bp(self) -> int:
        """0: an island may have any length, so the sequence is cut only at `joints`."""
        return 0

    def joints(self, ids: UInt8[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """Return the bases that are further from every window of an island than islands are joined over."""
        return far_from_islands(ids, CRITERIA[self.criteria])

    def find(self, ids: UInt8[np.ndarray, "n"], *, reverse: bool = False) -> Spans:
        """Return the islands; both strands have the same."""
        islands = cpg_islands(ids, self.criteria)
        if not islands:
            return Spans.empty()
        return Spans(
            np.array([island.start for island in islands]),
            np.array([island.end for island in islands]),
            np.array([island.observed_expected for island in islands]),
        )

    @property
    def lookback_bp(self) -> int:
        """Bases that `last_bases` looks at to judge one."""
        return CRITERIA[self.criteria].window_bp

    def last_bases(self, ids: UInt8[np.ndarray, "n"], *, reverse: bool = False) -> Int[np.ndarray, "k"]:
        """Return the last base of every window with the composition of an island.

        Whether the stretch becomes long enough for an island, only bases to come can tell.
        """
        return island_windows(ids, self.criteria) + self.lookback_bp - 1


@dataclass(frozen=True)
class Matrix:
    """A position weight matrix; scanning needs the extra `genomics`.

    Args:
        counts: observed A, C, G, T at each position, or their probabilities: see `threshold.log_odds`.
        pvalue: chance of a hit per position and strand in uniform random sequence.
    """

    kind: ClassVar[str] = "matrix"
    counts: Counts
    pvalue: float

    def __post_init__(self) -> None:
        check_counts(self.counts, self.pvalue)

    @property
    def is_symmetric(self) -> bool:
        """Whether the matrix equals its own reverse complement."""
        return self.counts == tuple(row[::-1] for row in self.counts[::-1])

    @property
    def reach_bp(self) -> int:
        """Bases of a site."""
        return len(self.counts)

    def joints(self, ids: UInt8[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """Return where a long sequence may be cut, for this rule, without losing or changing a span.

        Sites of `reach_bp` bases are found whole because pieces overlap by that much, so all bases are joints.
        """
        return np.ones(len(ids), dtype=bool)

    def find(self, ids: UInt8[np.ndarray, "n"], *, reverse: bool = False) -> Spans:
        """Return the sites on one strand, scored in bits."""
        return scan(ids, self.counts, self.pvalue, reverse=reverse)

    @property
    def lookback_bp(self) -> int:
        """Bases that `last_bases` looks at to judge one."""
        return self.reach_bp

    def last_bases(self, ids: UInt8[np.ndarray, "n"], *, reverse: bool = False) -> Int[np.ndarray, "k"]:
        """Return the last base of every site."""
        return self.find(ids, reverse=reverse).ends - 1


@dataclass(frozen=True)
class Measured(Consensus):
    """Sites of which an experiment tells the state, as a CpG that is methylated: letters alone do not show them.

    Args:
        patterns: as of `Consensus`.
        state: the letter that stands for the state at the measured bases of a sequence.
    """

    kind: ClassVar[str] = "measured"
    state: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.state) != 1 or not "!" <= self.state <= "~" or self.state == UNMEASURED:
            raise ConfigError(
                f"motif measured: expected for state one letter, digit or sign other than {UNMEASURED!r}, which "
                f"stands for no measurement, got {self.state!r}; for example 1 for methylated and 0 for not"
            )

    def find(self, ids: UInt8[np.ndarray, "n"], *, reverse: bool = False) -> Spans:
        """Raises ConfigError: what was measured does not follow from letters."""
        raise ConfigError(
            f"motif measured: expected the measured state of every base for the class with state {self.state!r}, got "
            "letters alone; name a table with a column of states, or take a vocabulary without measured classes"
        )

    def measured(
        self, ids: UInt8[np.ndarray, "n"], states: UInt8[np.ndarray, "n"], *, reverse: bool = False
    ) -> Spans:
        """Return the sites on one strand of which at least one base was measured, and all that were are in this state.

        Args:
            ids: base ids.
            states: ASCII code of the state of each base.
            reverse: sites of the other strand.
        """
        spans = super().find(ids, reverse=reverse)
        mine = states == ord(self.state)
        others = ~mine & (states != ord(UNMEASURED))
        n_mine, n_others = prefix(mine), prefix(others)
        fits = (n_mine[spans.ends] > n_mine[spans.starts]) & (n_others[spans.ends] == n_others[spans.starts])
        return Spans(spans.starts[fits], spans.ends[fits], spans.scores[fits])


Rule = Consensus | AtRich | CpgIslands | Matrix | Measured
"""What a motif class may be recognised by."""

RULES: dict[str, type[Rule]] = {rule.kind: rule for rule in (Consensus, AtRich, CpgIslands, Matrix, Measured)}
"""Rules by the word that names them in a vocabulary file."""
