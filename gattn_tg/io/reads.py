"""Reads: sequences with what was measured at their bases, as the methylation of CpGs."""

from __future__ import annotations

from typing import Self

from gattn_tg.errors import FormatError
from gattn_tg.io.fasta import Record


class Read(Record):
    """A sequence of which an experiment says something at some bases: the C of CpGs methylated or not, for example.

    Attributes:
        states: one letter per base, "." where nothing was measured.

    Raises:
        FormatError: more or fewer states than bases, or one that is no ASCII letter, digit or sign.
    """

    states: bytes

    def __new__(
        cls, name: str, description: str | bytes, sequence: str | bytes | None = None, states: str | bytes = b""
    ) -> Self:
        read = super().__new__(cls, name, description, sequence)
        text = states if isinstance(states, str) else states.decode("latin-1")
        read.states = check_states(f"read {name!r}", "states", text, len(read.sequence))
        return read

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and isinstance(other, Read) and self.states == other.states

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((tuple(self), self.states))


def check_states(where: str, column: str, text: str, length: int) -> bytes:
    """The states of a sequence of `length` bases, one letter each.

    Raises:
        FormatError: there are more or fewer, or one that is no visible ASCII.
    """
    if len(text) != length:
        raise FormatError(f"{where}, {column}: expected one letter for each of {length} bases, got {len(text)}; write "
                          ". where nothing was measured")
    odd = next((letter for letter in text if not "!" <= letter <= "~"), None)
    if odd is not None:
        raise FormatError(f"{where}, {column}: expected letters, digits and signs of ASCII, got {odd!r}; write . where "
                          "nothing was measured")
    return text.encode("ascii")
