"""BAM files of reads whose methylation was measured: Bismark's XM, or MM and ML as long-read callers write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gattn_tg.errors import FormatError, MissingExtraError
from gattn_tg.io.reads import Read
from gattn_tg.types import UInt8

METHYLATED, UNMETHYLATED, UNMEASURED = b"10."  # bytes, as everywhere where states are read
LEAST = 0.5  # probability of the modification from which a C counts as methylated
CPG = {ord("Z"): METHYLATED, ord("z"): UNMETHYLATED}  # Bismark's letters for a C in CpG
CALLS = frozenset(b"zZxXhHuU.")
CONVERTED = {"CT": (b"T"[0], b"C"[0]), "GA": (b"A"[0], b"G"[0])}  # XG: what bisulfite leaves of an unmethylated C
LISTS_ALL = re.compile(r"(?:^|;)C\+[a-z]*m[a-z]*\.?,")  # MM without "?": a C that is left out is not modified


def read_bam(path: str | Path) -> Iterator[Read]:
    """The primary reads of a BAM file as they stand in it (along the reference), with 1 or 0 at measured CpGs.

    XM of Bismark is taken where a read has it, and the letters that bisulfite changed become those of the genome again:
    T is C where XG is CT, A is G where it is GA, at every base that XM calls unmethylated. Otherwise MM and ML: a C (on
    the other strand its G) counts as methylated from probability .5 on; one that MM leaves out is unmethylated within
    CpG, or not measured where MM says "?". Reads without letters, secondary, supplementary and failed ones are left
    out.

    Raises:
        MissingExtraError: pysam is not installed.
        FormatError: the file is missing, damaged or no BAM file, a read has neither XM nor MM, or tags that do not fit
            its bases, or there is no read.

    Source: Krueger and Andrews 2011, Bioinformatics 27:1571 (Bismark); SAM optional fields specification, section 1.7.
    """
    try:
        import pysam
    except ImportError as missing:
        raise MissingExtraError(
            f'{path}: expected pysam to read BAM, but it is not installed; pip install "gattn_tg[bam]", or write a '
            "table with the columns sequence and methylation"
        ) from missing
    silent = pysam.set_verbosity(0)  # its messages go past Python to standard error
    n = 0
    try:
        with pysam.AlignmentFile(str(path), "rb", check_sq=False) as file:
            for segment in file.fetch(until_eof=True):
                is_whole = not (segment.is_secondary or segment.is_supplementary or segment.is_qcfail)
                if is_whole and segment.query_sequence:
                    n += 1
                    yield _read(f"{path}, read {segment.query_name!r}", segment)
    except FormatError:  # which is a ValueError
        raise
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: expected a whole BAM file, got: {str(error).lower()}; check the file") from error
    finally:
        pysam.set_verbosity(silent)
    if not n:
        raise FormatError(f"{path}: expected at least one primary read with letters, got none; was it written fully?")


def _read(where: str, segment: Any) -> Read:
    if segment.has_tag("XM"):
        letters, states = _bismark(where, segment)
    elif segment.has_tag("MM") or segment.has_tag("Mm"):
        letters, states = _modified(where, segment)
    else:
        raise FormatError(f"{where}: expected the tag XM, or MM and ML, got neither; call methylation first")
    return Read(str(segment.query_name), "", letters.tobytes(), states.tobytes())


def _letters(segment: Any) -> UInt8[np.ndarray, "n"]:
    return np.frombuffer(segment.query_sequence.upper().encode("ascii"), np.uint8).copy()


def _bismark(where: str, segment: Any) -> tuple[UInt8[np.ndarray, "n"], UInt8[np.ndarray, "n"]]:
    letters, text = _letters(segment), str(segment.get_tag("XM")).encode()
    calls = np.frombuffer(text, np.uint8)
    strand = segment.get_tag("XG") if segment.has_tag("XG") else ""
    if len(calls) != len(letters) or not set(text) <= CALLS:
        raise FormatError(f"{where}: expected in XM one of z Z x X h H u U . for each of {len(letters)} bases, got "
                          f"{len(calls)}: {text[:20]!r}; call methylation again")
    if strand not in CONVERTED:
        raise FormatError(f"{where}: expected XG CT or GA beside XM, got {strand!r}; call methylation again")
    read, genome = CONVERTED[strand]
    unmethylated = (calls >= ord("a")) & (calls <= ord("z"))
    if odd := int((letters[unmethylated] != read).sum()):
        raise FormatError(f"{where}: expected {chr(read)} at every base that XM calls unmethylated, got others at "
                          f"{odd}; XM and the letters are not of one read")
    letters[unmethylated] = genome
    states = np.full(len(letters), UNMEASURED, np.uint8)
    for call, state in CPG.items():
        states[calls == call] = state
    return letters, states


def _modified(where: str, segment: Any) -> tuple[UInt8[np.ndarray, "n"], UInt8[np.ndarray, "n"]]:
    letters = _letters(segment)
    states = np.full(len(letters), UNMEASURED, np.uint8)
    c = letters == ord("C")
    g = letters == ord("G")
    cpg = np.flatnonzero(c[:-1] & g[1:])
    mine = cpg + 1 if segment.is_reverse else cpg  # the C of a read on the other strand stands as G here
    tag = str(segment.get_tag("MM" if segment.has_tag("MM") else "Mm"))
    if LISTS_ALL.search(tag):
        states[mine] = UNMETHYLATED
    found = segment.modified_bases or {}
    if not found and "," in tag:  # htslib has no other word for a list that goes beyond the bases
        raise FormatError(f"{where}: expected MM and ML that fit the bases, got {tag[:40]!r}; call methylation again")
    is_cpg = np.zeros(len(letters), bool)
    is_cpg[mine] = True
    for (base, _, code), places in found.items():
        if base == "C" and code == "m":
            for at, quality in places:
                if is_cpg[at]:
                    likely = quality < 0 or (quality + 0.5) / 256 >= LEAST  # without ML: called as modified
                    states[at] = METHYLATED if likely else UNMETHYLATED
    return letters, states
