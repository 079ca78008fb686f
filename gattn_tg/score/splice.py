"""Candidate splice sites of a genomic sequence: windows around every GT and AG, on both strands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gattn_tg.errors import CoordinateError
from gattn_tg.io import Record
from gattn_tg.seq import reverse_complement

# A third of the bundled windows that are a donor or neither are donors (acceptors alike); in a stretch dense with genes
# it is about one GT or AG in a hundred (RefSeq in the bundled one: 70 of 5,783).
TRAINED_SHARE, GENOMIC_SHARE = 0.32, 0.01
LABELS = {"donor": "ei", "acceptor": "ie"}  # classes of the bundled windows
DINUCLEOTIDES = {"donor": (b"GT", 0), "acceptor": (b"AG", 2)}  # bases from the dinucleotide's start to the junction


def with_prior(p: float, trained: float, actual: float) -> float:
    """A probability for a world in which the class is rarer (or commoner) than in the training set.

    odds' = odds * (actual / (1 - actual)) / (trained / (1 - trained))

    Args:
        p: probability of the class according to the model.
        trained: share of the class among the training examples it was told apart from.
        actual: share of the class where the model is used.

    Source: Bayes; Saerens, Latinne and Decaestecker 2002, eq. 2.4, for two classes.
    """
    weight = actual * (1.0 - trained) / (trained * (1.0 - actual))
    return p * weight / (p * weight + (1.0 - p))


class Candidate(NamedTuple):
    """A possible junction.

    Args:
        kind: "donor" (the intron starts with GT) or "acceptor" (it ends with AG).
        strand: "+" or "-".
        position: 0-based coordinate of the junction on the + strand: it lies between position - 1 and position.
        window: bases around the junction, read along the strand.
    """

    kind: str
    strand: str
    position: int
    window: Record


def candidates(sequence: bytes, *, chrom: str, offset: int, start: int, end: int, width: int) -> Iterator[Candidate]:
    """All GT and AG of a stretch with room for a window around the junction, the junction in its middle.

    Args:
        sequence: letters of the + strand.
        chrom: name for the windows.
        offset: coordinate of the first letter.
        start: first coordinate of the stretch.
        end: one past its last coordinate.
        width: bases of a window, even.

    Raises:
        CoordinateError: The stretch is not inside the sequence.
    """
    if not offset <= start < end <= offset + len(sequence):
        raise CoordinateError(
            f"candidates: expected a stretch inside {chrom}:{offset}-{offset + len(sequence)}, got "
            f"{start}-{end}; choose another"
        )
    forward = sequence.upper()
    n, half = len(forward), width // 2
    for strand, letters in (("+", forward), ("-", reverse_complement(forward))):
        low, high = (start - offset, end - offset) if strand == "+" else (n - (end - offset), n - (start - offset))
        for kind, (pair, ahead) in DINUCLEOTIDES.items():
            for match in re.finditer(pair, letters[low:high]):
                junction = low + match.start() + ahead
                if half <= junction <= n - half:
                    position = offset + (junction if strand == "+" else n - junction)
                    window = letters[junction - half : junction + half]
                    name = f"{chrom}:{position}:{strand}:{kind}"
                    yield Candidate(kind, strand, position, Record(name, "", window))
