"""Motif matrices from files, and of these the ones that are wanted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.io.lines import lines
from gattn_tg.io.motifs.matrix import MotifMatrix
from gattn_tg.io.motifs.meme import read_meme
from gattn_tg.io.motifs.pfm import read_pfm

HEAD_LINES = 10
"""MEME's full text begins with a banner; its version stands within these lines."""
OTHER_FORMATS = {
    ("ID", "AC", "VV", "XX", "DE", "NA"): "a TRANSFAC file",
    ("Pos", "TF", "Motif"): "a table of CIS-BP",
    ("BL",): "BLOCKS",
    ("<?xml", "<!DOCTYPE", "<html"): "XML or HTML",
}
"""First words of files that are refused by name."""


def read_matrices(path: str | Path) -> list[MotifMatrix]:
    """Read all motifs of a file of MEME (minimal or full text, version 4 or 5), JASPAR, HOMER or HOCOMOCO.

    Numbers are kept as they are: counts as counts, whole or not, and probabilities as probabilities.

    Args:
        path: plain, gzip or bgzip; its lines tell the format.

    Raises:
        FormatError: another format, a matrix with another alphabet, too few rows or numbers, negative numbers,
            probabilities that do not add up to 1, no motif; the text names file and line.
    """
    path = Path(path)
    text = [(number, line.decode("latin-1").strip()) for number, line in lines(path)]
    text = [(number, line) for number, line in text if not line.startswith("#")]
    full = [(number, line) for number, line in text if line]
    if not full:
        raise FormatError(f"{path}: expected at least one motif, got an empty file; was it written fully?")
    number, first = full[0]
    if any(line.startswith("MEME version") for _, line in full[:HEAD_LINES]):
        found = list(read_meme(path, text))
    elif first.startswith(">"):
        found = list(read_pfm(path, full))
    else:
        word = first.split()[0]
        came = next((name for words, name in OTHER_FORMATS.items() if word in words), repr(first[:20]))
        raise FormatError(
            f"{path}, line {number}: expected 'MEME version' or '>', got {came}; "
            + ("is this a motif file?" if came.startswith("'") else "convert it to MEME or JASPAR first")
        )
    if not found:
        raise FormatError(f"{path}: expected at least one motif, got none; was the file written fully?")
    return found


def select(matrices: Sequence[MotifMatrix], wanted: Iterable[str], where: str) -> list[MotifMatrix]:
    """Return the motifs of these names or ids, in this order; case does not matter, and neither does a missing version.

    A factor that has no motif of its own is found in a dimer: TAL1 is TAL1::TCF3. Where several fit (JASPAR has CTCF
    three times), the one with the lowest id, the oldest profile, is meant; a dimer that begins with the factor goes
    before one that ends with it.

    Args:
        matrices: what there is.
        wanted: "CTCF", "MA0139.2" or "MA0139".
        where: the file or database, for the message.

    Raises:
        ConfigError: no motif has the name.
    """
    parts = [_parts(m.name) for m in matrices]
    chosen = []
    for name in wanted:
        key = name.casefold()
        same = [m for m in matrices if key in (m.name.casefold(), m.id.casefold())]
        same = same or [m for m in matrices if key == m.id.casefold().split(".")[0]]
        same = same or [m for m, factors in zip(matrices, parts, strict=True) if key == factors[0]]
        same = same or [m for m, factors in zip(matrices, parts, strict=True) if key in factors]
        if not same:
            known = {m.name.upper() for m in matrices} | {factor.upper() for factors in parts for factor in factors}
            near = difflib.get_close_matches(name.upper(), sorted(known), 3)
            advice = f"did you mean {' or '.join(near)}?" if near else "look the name up at jaspar.elixir.no"
            raise ConfigError(f"{where}: expected a motif {name!r}, got none of this name; {advice}")
        chosen.append(min(same, key=lambda m: m.id))
    return chosen


def _parts(name: str) -> list[str]:
    """The factors of a name: TAL1::TCF3 has two; HOMER's CTCF(Zf)/CD4+ and JASPAR's old RORA(var.2) one each."""
    return [re.split(r"[(/]", part)[0].casefold() for part in name.split("::")]
