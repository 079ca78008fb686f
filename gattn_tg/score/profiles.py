"""Values along sequences, and the files they are written to."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gattn_tg.errors import ConfigError, GattnError
from gattn_tg.escaping import field
from gattn_tg.io import replacing, replacing_path, write_bigwig
from gattn_tg.io.whole import put_file
from gattn_tg.score.table import Table
from gattn_tg.seq import Interval
from gattn_tg.types import Float

ARRAYS, BIGWIG = ".npz", (".bw", ".bigwig")
BINARY = (ARRAYS, *BIGWIG)
TABLES, BEDGRAPH = (".tsv", ".tsv.gz"), (".bedgraph", ".bedgraph.gz", ".bg", ".bg.gz")
SOME_BINS = 1 << 16  # that are Python numbers at once: they are many times as large
SHOWN = 5  # names of tracks in a message
LONGEST_NAME = 100  # of a track, as a file name


class Placed(Table):
    """Base of the results along a genome: numbers at places, which have a column for each track.

    Attributes:
        tracks: names of the columns.
        sizes: bases of every contig, for BigWig files.
    """

    tracks: tuple[str, ...]
    sizes: Mapping[str, int]

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write by the name: .npz, .tsv, .bedgraph or .bw of one track, or a folder with a BigWig file per track.

        Raises:
            ConfigError: several tracks for one BigWig or bedGraph file.
            GattnError: the file exists, or cannot be written.
            MissingExtraError: BigWig, and pybigtools is not installed.
        """
        path = Path(path)
        if path.suffix.lower() == ARRAYS:
            self.to_npz(path, overwrite=overwrite)
        elif ends_in(path, TABLES):
            self.to_tsv(path, overwrite=overwrite)
        elif ends_in(path, BEDGRAPH):
            self.to_bedgraph(path, overwrite=overwrite)
        else:
            self.to_bigwig(path, overwrite=overwrite)

    def to_npz(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the arrays."""
        raise NotImplementedError

    def to_bigwig(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write one track to a file that ends in .bw or .bigwig, or every track to a file in a folder.

        Raises:
            ConfigError: several tracks for one file.
            GattnError: a file exists, or cannot be written.
            MissingExtraError: pybigtools is not installed.
        """
        path = Path(path)
        if path.suffix.lower() in BIGWIG:
            require_one(path, self.tracks)
            write_bigwig(path, dict(self.sizes), self._bars(0), overwrite=overwrite)
            return
        if path.exists() and not (overwrite and path.is_dir()):
            raise GattnError(f"{path}: expected a new folder, got one that exists; choose another name or overwrite it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as aside:  # all files or none
            for k, label in enumerate(labels(self.tracks)):
                write_bigwig(Path(aside) / f"{label}.bw", dict(self.sizes), self._bars(k))
            path.mkdir(exist_ok=True)
            for done in sorted(Path(aside).iterdir()):
                put_file(done, path / done.name)

    def to_bedgraph(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write one track as lines of contig, start, end and number, six digits of each; packed where it ends in .gz.

        Raises:
            ConfigError: several tracks.
            GattnError: the file exists, or cannot be written.
        """
        path = Path(path)
        require_one(path, self.tracks)
        with replacing(path, overwrite=overwrite) as file:
            for chrom, start, end, value in self._bars(0):
                file.write(f"{field(chrom)}\t{start}\t{end}\t{value:.6g}\n")

    def _bars(self, column: int) -> Iterator[tuple[str, int, int, float]]:
        """Contig, start, end and number of one track, contig by contig and sorted by start."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class GenomeValues(Placed):
    """What a model says along intervals: one row of values per bin.

    Args:
        intervals: where; a sequence without a genome lies at 0 of a contig of its own name.
        values: for each interval its bins, one column per track. The first bin begins where the interval does. NaN
            where a model was not asked, as among N; files leave such bins out.
        tracks: names of the columns.
        bin_bp: bases of a bin.
        unit: what the values are: "counts" expected, or "probability".
        sizes: bases of every contig, for BigWig files.
    """

    intervals: tuple[Interval, ...]
    values: tuple[Float[np.ndarray, "p k"], ...]
    tracks: tuple[str, ...]
    bin_bp: int
    unit: str
    sizes: Mapping[str, int]

    @property
    def n_bins(self) -> int:
        """Bins of all intervals."""
        return sum(len(values) for values in self.values)

    @property
    def summary(self) -> str:
        """How much of what."""
        return f"{self.unit} in {self.n_bins:,} bins of {self.bin_bp} bp, {len(self.tracks)} tracks"

    @property
    def header(self) -> list[str]:
        """Place of the bin, then the tracks."""
        return ["chrom", "start", "end", *self.tracks]

    def rows(self) -> Iterator[list[object]]:
        """One per bin, 0-based and half-open."""
        for chrom, start, end, row in self._bins():
            yield [chrom, start, end, *row]

    def to_npz(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write `values` of all bins, `ends` of the intervals in them, `intervals`, `tracks` and `bin_bp`."""
        ends = np.cumsum([0, *(len(values) for values in self.values)])
        empty = [np.zeros((0, len(self.tracks)), np.float32)]
        with replacing_path(path, overwrite=overwrite) as part, part.open("wb") as file:
            np.savez_compressed(
                file, values=np.concatenate(list(self.values) or empty), ends=ends, bin_bp=self.bin_bp,
                intervals=np.array([str(interval) for interval in self.intervals]), tracks=np.array(self.tracks),
            )  # fmt: skip

    def _bars(self, column: int) -> Iterator[tuple[str, int, int, float]]:
        """Bins of one track as BigWig has them."""
        for chrom, start, end, row in self._bins(slice(column, column + 1)):
            yield chrom, start, end, row[0]

    def _bins(self, columns: slice = slice(None)) -> Iterator[tuple[str, int, int, list[float]]]:
        """Place and values of every bin that has one; some of an interval at a time."""
        for interval, values in zip(self.intervals, self.values, strict=True):
            for first in range(0, len(values), SOME_BINS):
                some = values[first : first + SOME_BINS, columns]
                has = np.flatnonzero(~np.isnan(some).all(1))
                starts = interval.start + self.bin_bp * (first + has)
                ends = np.minimum(starts + self.bin_bp, interval.end)
                for start, end, row in zip(starts.tolist(), ends.tolist(), some[has].tolist(), strict=True):
                    yield interval.chrom, start, end, row


def ends_in(path: Path, endings: Sequence[str]) -> bool:
    """Whether a name has one of these endings, in whatever case."""
    return path.name.lower().endswith(tuple(endings))


def labels(names: Sequence[str]) -> list[str]:
    """A file name for every track, different ones also where upper and lower case are one."""
    clean = [re.sub(r"[^A-Za-z0-9_.+-]+", "_", name)[:LONGEST_NAME].lstrip(".") or "track" for name in names]
    count = Counter(name.casefold() for name in clean)
    return [name if count[name.casefold()] == 1 else f"{name}_{k}" for k, name in enumerate(clean)]


def require_one(path: Path, tracks: Sequence[str]) -> None:
    """Raise ConfigError where one BigWig or bedGraph file is to hold several tracks."""
    if ends_in(path, (*BIGWIG, *BEDGRAPH)) and len(tracks) != 1:
        kind = "bedGraph" if ends_in(path, BEDGRAPH) else "BigWig"
        named = ", ".join(tracks[:SHOWN]) + (" ..." if len(tracks) > SHOWN else "")
        raise ConfigError(f"{path}: expected one track for one {kind} file, got {len(tracks)} ({named}); choose one by "
                          "its name, or name a folder or an .npz file")
