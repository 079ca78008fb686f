"""The alphabet: ids A0 C1 G2 T3 N4, the IUPAC letters, and the lookup tables made from them.

Source: ambiguity letters, IUPAC-IUB Nomenclature Committee (1985) Nucleic Acids Research 13:3021, table 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from gattn_tg.types import UInt8

A: Final = 0
C: Final = 1
G: Final = 2
T: Final = 3
N: Final = 4
"""No base: unknown, ambiguous or padding."""

N_BASES: Final = 5
"""How many ids there are, N included."""

LETTERS: Final = b"ACGTN"
"""The letter of each id."""

IUPAC: Final[dict[str, str]] = {
    "A": "A", "C": "C", "G": "G", "T": "T",
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
"""The bases each letter stands for."""

ILLEGAL: Final = 255
"""What ENCODE holds for bytes that are no nucleotide letter."""


def _frozen(table: np.ndarray) -> np.ndarray:
    table.setflags(write=False)
    return table


def _encode_table() -> np.ndarray:
    table = np.full(256, ILLEGAL, dtype=np.uint8)
    for letter in IUPAC:
        base = LETTERS.find(letter.encode())
        table[[ord(letter), ord(letter.lower())]] = N if base < 0 else base
    table[[ord("U"), ord("u")]] = T
    return _frozen(table)


def _complement_letters() -> bytes:
    swap = bytes.maketrans(b"ACGT", b"TGCA")
    letter_of = {frozenset(bases): letter for letter, bases in IUPAC.items()}
    table = bytearray(range(256))
    for letter, bases in IUPAC.items():
        other = letter_of[frozenset(bases.encode().translate(swap).decode())]
        table[ord(letter)], table[ord(letter.lower())] = ord(other), ord(other.lower())
    table[ord("U")], table[ord("u")] = ord("A"), ord("a")
    return bytes(table)


ENCODE: Final[UInt8[np.ndarray, "256"]] = _encode_table()
"""Byte -> id; lower case like upper case, U like T, ambiguity letters as N, everything else ILLEGAL."""

COMPLEMENT: Final[UInt8[np.ndarray, "5"]] = _frozen(np.array([T, G, C, A, N], dtype=np.uint8))
"""Id -> id of the base that pairs with it; N stays N."""

COMPLEMENT_LETTERS: Final = _complement_letters()
"""Byte -> byte for `bytes.translate`; keeps case and the meaning of ambiguity letters (R pairs with Y)."""
