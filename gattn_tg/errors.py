"""The errors users meet. Text: `where: expected ..., got ...; do ...`."""

from __future__ import annotations


class GattnError(Exception):
    """Base of every error that gattn_tg raises on purpose; the command line prints it as one line and exits 2."""


class ShapeError(GattnError, ValueError):
    """An array has the wrong number of axes or the wrong size along one."""


class UnsupportedError(GattnError, NotImplementedError):
    """A valid request that this implementation, device or dtype does not serve; the text says which does."""


class FormatError(GattnError, ValueError):
    """A file or text does not follow its format; the text names the file and the line or character."""


class CoordinateError(GattnError, ValueError):
    """A genomic coordinate, interval or allele does not fit the sequence it is used with."""


class ConfigError(GattnError, ValueError):
    """A setting is unknown, has the wrong type or cannot be combined with another."""


class MissingExtraError(GattnError, ImportError):
    """An optional package is needed and not installed; the text gives the pip command."""


class DivergedError(GattnError, ArithmeticError):
    """A loss or a score is NaN or infinite: the weights have grown beyond what the numbers can hold."""


class GattnWarning(UserWarning):
    """Base of the warnings of this package."""


class CacheWarning(GattnWarning):
    """Compiled kernels cannot be kept on disk; everything works, and begins more slowly."""


class LengthWarning(GattnWarning):
    """Sequences are far shorter than those that a model learnt from, so that nothing is known about its answers."""


def an(name: str) -> str:
    """The name with its article, as a message reads it: "an ImportedTracks"."""
    return f"{'an' if name[:1] in 'AEIOaeio' else 'a'} {name}"


def counted(n: int, noun: str) -> str:
    """A number with its noun: "1 sequence", "2,000 sequences"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
