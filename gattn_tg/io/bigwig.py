"""BigWig: numbers along a genome, read and written by pybigtools."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import ModuleType, TracebackType

import numpy as np

from gattn_tg.errors import CoordinateError, FormatError, GattnError, MissingExtraError
from gattn_tg.io.bigwig_layout import check_layout
from gattn_tg.io.contigs import ContigNames
from gattn_tg.io.replacing import replacing_path
from gattn_tg.io.source import require_regular
from gattn_tg.seq.interval import Interval
from gattn_tg.types import Float

SUFFIXES = (".bw", ".bigwig")  # the library goes by the name

MAX_VALUE = float(np.finfo(np.float32).max)  # BigWig has 32 bits

Value = tuple[str, int, int, float]
"""(contig, start, end, number), 0-based and half-open."""


class BigWig:
    """A BigWig file, read at any place.

    Args:
        path: the file.
        rename: how names in intervals become names of the file, see `ContigNames`.

    Raises:
        FormatError: not a BigWig file, or a damaged one.
        MissingExtraError: pybigtools is not installed.
    """

    def __init__(self, path: str | Path, *, rename: Mapping[str, str] | str | None = None) -> None:
        self.path = Path(path)
        library = _library()
        require_regular(self.path, "a BigWig file is read at any place")
        check_layout(self.path)
        with _told_as_ours(str(path)):
            self._file = library.open(str(self.path))
            self.sizes = {str(name): int(size) for name, size in self._file.chroms().items()}
        self.names = ContigNames(self.sizes, rename)

    def values(self, interval: Interval, *, missing: float = 0.0, pad: bool = False) -> Float[np.ndarray, "n"]:
        """Return one float32 per base, in reading direction of the interval's strand.

        Args:
            interval: 0-based and half-open; "-" turns the numbers around.
            missing: what bases without a number get.
            pad: give `missing` for bases outside the contig instead of refusing them.

        Raises:
            CoordinateError: a contig that the file does not have, or bases outside it.
            FormatError: an infinite number, or a damaged file.
        """
        chrom = self.names.resolve(interval.chrom, f"{self.path}, interval {interval}")
        size = self.sizes[chrom]
        if not pad and (interval.start < 0 or interval.end > size):
            raise CoordinateError(
                f"{self.path}, interval {interval}: expected bases 0 to {size} of {chrom}, but it reaches outside; "
                "resize it, pad it, or is this another assembly?"
            )
        numbers = np.full(len(interval), missing, dtype=np.float32)
        start, end = max(interval.start, 0), min(interval.end, size)
        if start < end:
            with _told_as_ours(f"{self.path}, interval {interval}"):
                found = self._file.values(chrom, start, end, fillna=None)
            if (infinite := np.isinf(found)).any():
                at = start + int(np.argmax(infinite))
                raise FormatError(
                    f"{self.path}, {chrom}:{at}-{at + 1}: expected a finite number, got {found[at - start]}; "
                    "mend the file or leave the stretch out"
                )
            inside = numbers[start - interval.start : end - interval.start]
            inside[:] = np.where(np.isnan(found), missing, found)
        return numbers[::-1].copy() if interval.strand == "-" else numbers

    def binned(self, interval: Interval, bin_bp: int, *, missing: float = 0.0) -> Float[np.ndarray, "bins"]:
        """Return the mean of each bin of `bin_bp` bases, N bases outside the contig counting as `missing`.

        Raises:
            CoordinateError: the interval is not a whole number of bins; see `values`.
        """
        if bin_bp < 1 or len(interval) % bin_bp:
            raise CoordinateError(
                f"{self.path}, interval {interval}: expected a whole number of bins of {bin_bp}, but it has "
                f"{len(interval)} bases; resize it"
            )
        per_base = self.values(interval, missing=missing, pad=True)
        means: np.ndarray = per_base.reshape(-1, bin_bp).mean(axis=1, dtype=np.float64).astype(np.float32)
        return means

    def __enter__(self) -> BigWig:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def check_bigwig(path: str | Path) -> ModuleType:
    """Refuse a name that no BigWig file can have, before any work is done for it; return the library.

    Raises:
        FormatError: the name ends in neither `.bw` nor `.bigwig`.
        MissingExtraError: pybigtools is not installed.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise FormatError(
            f"{path}: expected a name that ends in {' or '.join(SUFFIXES)} for a BigWig file, got "
            f"{Path(path).name!r}; rename it"
        )
    return _library()


def write_bigwig(
    path: str | Path, sizes: Mapping[str, int], values: Iterable[Value], *, overwrite: bool = False
) -> int:
    """Write a BigWig file and return how many numbers it holds.

    pybigtools writes unsorted, overlapping and outlying input without a word into a broken file, so every number is
    checked, and the file is opened again before it gets its name. Contigs without a number are not in the file.

    Args:
        path: the file.
        sizes: bases of each contig.
        values: sorted by start within a contig, the contigs one after the other; streamed.
        overwrite: see `replacing`.

    Raises:
        CoordinateError: an unknown contig, numbers outside it, overlapping or unsorted.
        FormatError: a number that is not finite, or no number at all.
        GattnError: see `replacing`; the file is then as it was before.
        MissingExtraError: pybigtools is not installed.
    """
    library = check_bigwig(path)
    stream = _Checked(Path(path), sizes, values)
    first = next(stream, None)
    if stream.fault is not None:
        raise stream.fault
    if first is None:
        raise FormatError(f"{path}: expected at least one number, got none; a BigWig file cannot be empty")
    with replacing_path(path, overwrite=overwrite) as temporary:
        part = temporary.with_name(f"{temporary.name}.bw")
        try:
            library.open(str(part), "w").write(
                {str(name): int(size) for name, size in sizes.items()}, chain([first], stream)
            )
            if stream.fault is not None:
                raise stream.fault
            with BigWig(part) as written:
                missing = stream.contigs - set(written.sizes)
            os.replace(part, temporary)
        except Exception as error:
            if stream.fault is not None:
                raise stream.fault from None
            if isinstance(error, GattnError):
                raise
            raise GattnError(
                f"{path}: expected a BigWig file that can be written, got: {_told(error)}; "
                "check the folder and the free space"
            ) from error
        finally:
            part.unlink(missing_ok=True)
        if missing:
            raise GattnError(
                f"{path}: expected contigs {', '.join(sorted(missing))}, but were not written; report it"
            )
    return stream.count


class _Checked(Iterator[Value]):
    """The numbers as plain Python ones, up to the first fault, which is kept for the caller.

    It is not raised here: the library prints a traceback of what its input raises, and goes on.
    """

    def __init__(self, path: Path, sizes: Mapping[str, int], values: Iterable[Value]) -> None:
        self.path, self.sizes, self.values = path, sizes, iter(values)
        self.count = 0
        self.contigs: set[str] = set()
        self.last: tuple[str, int] = ("", 0)
        self.fault: BaseException | None = None

    def __next__(self) -> Value:
        if self.fault is not None:
            raise StopIteration
        try:
            chrom, start, end, value = next(self.values)
            chrom, start, end, value = str(chrom), int(start), int(end), float(value)
            self._check(chrom, start, end, value)
        except StopIteration:
            raise
        except BaseException as fault:  # Ctrl-C too
            self.fault = fault
            raise StopIteration from None
        self.count += 1
        self.contigs.add(chrom)
        self.last = (chrom, end)
        return chrom, start, end, value

    def _check(self, chrom: str, start: int, end: int, value: float) -> None:
        where = f"{self.path}, number {self.count + 1}"
        if chrom not in self.sizes:
            raise CoordinateError(f"{where}: expected a contig of the genome, got {chrom!r}; give its size")
        if not 0 <= start < end <= self.sizes[chrom]:
            raise CoordinateError(
                f"{where}: expected 0 <= start < end <= {self.sizes[chrom]} on {chrom}, got {start} and {end}; "
                "is this another assembly?"
            )
        if not abs(value) <= MAX_VALUE:
            raise FormatError(f"{where}: expected a finite number, got {value}; leave the stretch out")
        if (chrom == self.last[0] and start < self.last[1]) or (chrom != self.last[0] and chrom in self.contigs):
            raise CoordinateError(
                f"{where}: expected numbers in order, without overlap, got {chrom}:{start} after "
                f"{self.last[0]}:{self.last[1]}; sort them"
            )


@contextmanager
def _told_as_ours(where: str) -> Iterator[None]:
    """Turn whatever the library makes of a damaged file into our error."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Rust code is no Exception
        raise FormatError(
            f"{where}: expected an undamaged BigWig file, got: {_told(error)}; fetch or convert it again"
        ) from error


def _library() -> ModuleType:
    try:
        import pybigtools
    except ImportError as missing:
        raise MissingExtraError(
            "io.bigwig: expected pybigtools for BigWig files, but it is not installed; "
            'pip install "gattn_tg[genomics]"'
        ) from missing
    library: ModuleType = pybigtools
    return library


def _told(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
