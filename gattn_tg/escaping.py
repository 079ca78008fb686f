"""Text of strangers (names of sequences, contigs, classes, files), made harmless where it is shown or written.

A name may hold an escape sequence that rewrites the terminal, a tab that shifts the columns of a table, or a formula
that a spreadsheet runs.
"""

from __future__ import annotations

import re
import sys

CLEAR = "\r\033[K"  # on a terminal, wipes the line that stands there
FORMULA = "=+-@"
"""Letters with which a spreadsheet takes a cell for a formula (OWASP, CSV injection)."""

# control characters, marks that turn the direction of text, line separators, halves of characters
_HIDDEN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[{_HIDDEN}]")
_UNFIT = re.compile(rf"[\t\n{_HIDDEN}]")


def shown(text: str) -> str:
    r"""Return text for the terminal: tabs and line ends stay, other control characters are written as `\x1b` is here.

    Example:
        >>> shown("a\x1b[2J\tb")
        'a\\x1b[2J\tb'
    """
    return _UNPRINTABLE.sub(_code, text) if _UNPRINTABLE.search(text) else text


def tell(text: str, *, instead: str = "") -> None:
    """One line about the work on standard error.

    Args:
        text: names in it cannot steer the terminal.
        instead: `CLEAR` where a progress bar stands there.
    """
    print(instead + shown(text), file=sys.stderr, flush=True)


def field(text: str) -> str:
    r"""Return text for one field of a BED file: control characters, tabs and line ends are written as `\t` is here.

    Example:
        >>> field("a\tb")
        'a\\tb'
    """
    return _UNFIT.sub(_code, text) if _UNFIT.search(text) else text


def cell(text: str) -> str:
    r"""Return text for one cell of a table: as `field`, and what a spreadsheet would run gets a `'` in front.

    Numbers stay as they are, and so does a single `+`, `-` or `@`.

    Example:
        >>> cell("=1+1"), cell("-0.5"), cell("-")
        ("'=1+1", '-0.5', '-')
    """
    text = field(text)
    return f"'{text}" if len(text) > 1 and text[0] in FORMULA and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _code(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")
