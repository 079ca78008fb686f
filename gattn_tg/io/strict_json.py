"""JSON from anyone: one value for one text, and every oddity that Python's reader lets through is refused."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from gattn_tg.errors import FormatError

MAX_BYTES = 16 << 20  # of a file that people write or that describes a model; headers of weights may be larger
MAX_DIGITS = 18  # whole numbers below it fit 64 bits; longer ones cost time that grows with the square


def parse(data: bytes, where: str, max_bytes: int = MAX_BYTES) -> Any:
    """The value of a JSON text.

    Args:
        data: UTF-8.
        where: Name of the text for messages.
        max_bytes: Longest text that is looked at.

    Raises:
        FormatError: Not UTF-8, not JSON, too long, nested too deeply, a key twice in one object, NaN or infinity, a
            whole number of more than 18 digits, or text that is no Unicode (half a surrogate pair).
    """
    if len(data) > max_bytes:
        raise FormatError(f"{where}: expected JSON of at most {max_bytes:,} bytes, got {len(data):,}; is it this file?")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_int=_whole,
            parse_float=_decimal,
        )  # fmt: skip
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise FormatError(f"{where}: expected JSON of few levels, got it nested too deeply; restore it") from error
    except ValueError as error:  # of Unicode and of JSON too
        raise FormatError(f"{where}: expected JSON, but it does not parse ({error}); restore the file") from error
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)[:80]!r} comes twice")
    return found


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number of JSON")


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(digits.lstrip('-')):,} digits")
    return int(digits)


def _decimal(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError(f"the number {digits[:40]} is too large")
    return value
