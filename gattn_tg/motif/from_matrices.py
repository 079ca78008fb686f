"""A vocabulary made of position weight matrices."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Sequence

import numpy as np

from gattn_tg.motif.motif_class import NONE_NAME, MotifClass
from gattn_tg.motif.pwm import check_counts
from gattn_tg.motif.rules import Matrix
from gattn_tg.motif.threshold import TooShortError, log_odds, near_threshold, score_threshold
from gattn_tg.motif.vocabulary import MotifVocabulary
from gattn_tg.types import Float

PVALUE = 1e-4
GOLDEN = 0.618034  # turns of the colour wheel from one motif to the next, so that neighbours differ


def vocabulary_of(
    matrices: Iterable[tuple[str, str, Sequence[Sequence[float]]]],
    pvalue: float = PVALUE,
    *,
    base: MotifVocabulary | None = None,
    source: str = "",
) -> MotifVocabulary:
    """Return a vocabulary with one class per matrix, found on both strands.

    Where sites overlap the base goes to the motif that comes first; the classes of `base` come after all matrices.

    Args:
        matrices: (id, name, counts or probabilities) of each, as `io.read_matrices` gives them.
        pvalue: chance of a hit per position and strand in uniform random sequence.
        base: classes to put in front of them, which keep their ids, for example the default vocabulary.
        source: where they come from, for the file.

    Raises:
        ConfigError: too many motifs, or a matrix twice; TooShortError: one whose best word is more frequent than
            `pvalue`, see `long_enough`.
    """
    classes = list(base.classes) if base else []
    lowest = max((motif.priority for motif in classes), default=0)
    taken = {NONE_NAME, *(motif.name for motif in classes)}
    chosen = list(matrices)
    for at, (matrix_id, name, counts) in enumerate(chosen):
        rule = Matrix(tuple((a, c, g, t) for a, c, g, t in counts), pvalue)
        if not long_enough(rule.counts, pvalue):
            raise TooShortError(f"motif {name!r} ({matrix_id})", len(counts), pvalue)
        label = _label(name, matrix_id, taken)
        taken.add(label)
        classes.append(
            MotifClass(label, rule, lowest + len(chosen) - at, _colour(at), source=f"{source} {matrix_id}".strip())
        )
    return MotifVocabulary(tuple(classes))


def matrices_of(vocabulary: MotifVocabulary) -> list[tuple[Float[np.ndarray, "w 4"], float]]:
    """Return log odds in bits and threshold of the classes that are matrices, in their order."""
    rules = [motif.rule for motif in vocabulary.classes if isinstance(motif.rule, Matrix)]
    return [(log_odds(rule.counts), score_threshold(rule.counts, rule.pvalue)) for rule in rules]


def scored(
    matrices: Iterable[Sequence[Sequence[float]]], pvalue: float
) -> list[tuple[Float[np.ndarray, "w 4"], float]]:
    """Return log odds in bits and the score of a chance for matrices of counts or probabilities.

    Args:
        matrices: rows of A, C, G, T, as `io.read_matrices` gives them.
        pvalue: chance of such a score at a position of a strand of uniform random sequence, see `near_threshold`.
    """
    return [(log_odds(counts), near_threshold(counts, pvalue)) for counts in matrices]


def long_enough(counts: Sequence[Sequence[float]], pvalue: float) -> bool:
    """Whether the best word of a matrix is rare enough for a p-value.

    Raises:
        ConfigError: no motif matrix.
    """
    check_counts(counts, pvalue)
    try:
        score_threshold(counts, pvalue)
    except TooShortError:
        return False
    return True


def _label(name: str, matrix_id: str, taken: set[str]) -> str:
    """Return the name in the letters of a vocabulary, with the id where another motif has it already."""
    label = re.sub(r"[^A-Za-z0-9_+.-]+", "_", name).strip("_") or re.sub(r"[^A-Za-z0-9_+.-]+", "_", matrix_id)
    return f"{label}_{matrix_id}" if label in taken else label


def _colour(at: int) -> str:
    red, green, blue = colorsys.hls_to_rgb(at * GOLDEN % 1, 0.42, 0.65)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
