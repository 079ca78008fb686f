"""Motifs by name: classes of a vocabulary, words of bases, matrices; and the words that are put into sequences."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gattn_tg.data.genomes.jaspar import matrices_by_name
from gattn_tg.errors import ConfigError
from gattn_tg.io import read_matrices, select
from gattn_tg.motif import Consensus, Matrix, MotifClass, MotifVocabulary, long_enough, vocabulary_of
from gattn_tg.motif.frequencies import drawn, of_counts
from gattn_tg.seq import encode
from gattn_tg.seq.alphabet import IUPAC
from gattn_tg.seq.strand import reverse_complement
from gattn_tg.types import UInt8

PVALUE = 1e-4  # of the sites of matrices
SHORT_PVALUES = (PVALUE, 1e-3, 1e-2)  # of a matrix that is named, the first that it is long enough for
WORD_COLOUR = "#3056a8"
LEAST_WORD = 4  # bases of a word that is given by its letters


def named(names: Iterable[str], vocabulary: MotifVocabulary, matrices: str | Path | None = None) -> list[MotifClass]:
    """The motifs of these names.

    A name is looked for in the vocabulary of the model; then it may be a word of at least four of the letters ACGT;
    then it is looked for in a file of matrices, or in JASPAR.

    Args:
        names: of motifs.
        vocabulary: of the model.
        matrices: a file of MEME, JASPAR, HOMER or HOCOMOCO; None takes JASPAR 2024, vertebrates.

    Raises:
        ConfigError: no such motif, one that has no word (islands and rich stretches), or one twice.
        FormatError: a malformed file.
    """
    known = {motif.name: motif for motif in vocabulary.classes}
    asked = list(names)
    if len(set(asked)) < len(asked) or not asked:
        raise ConfigError(f"motifs: expected different names, got {', '.join(asked) or 'none'}; name each once")
    found = []
    for name in asked:
        if name in known:
            found.append(known[name])
        elif len(name) >= LEAST_WORD and set(name) <= set("ACGT"):
            found.append(MotifClass(name, Consensus((name,)), 1, WORD_COLOUR))
        else:
            found.append(_matrix(name, matrices))
        if not isinstance(found[-1].rule, Consensus | Matrix):
            raise ConfigError(f"motifs: expected a motif that has words, got {name!r}, which is a {found[-1].kind}; "
                              "leave it out")  # fmt: skip
    return found


def all_named(vocabulary: MotifVocabulary, matrices: str | Path | None = None) -> list[MotifClass]:
    """The motifs of a vocabulary that have words, each with its partner as one, and all matrices of a file.

    Matrices that are too short for sites of p-value 1e-4 are left out.
    """
    found: list[MotifClass] = []
    for motif in vocabulary.classes:
        if isinstance(motif.rule, Consensus | Matrix) and all(motif.rule != other.rule for other in found):
            found.append(MotifClass(motif.name, motif.rule, motif.priority, motif.colour, source=motif.source))
    if matrices is None:
        return found
    taken = {motif.name for motif in found}
    several = [m for m in read_matrices(matrices) if long_enough(m.counts, PVALUE)]
    for first in range(0, len(several), 200):  # a vocabulary has at most 255 classes
        for motif in vocabulary_of(several[first : first + 200], PVALUE, source=Path(matrices).name).classes:
            name = motif.name if motif.name not in taken else f"{motif.name}_{motif.source.split()[-1]}"
            taken.add(name)
            found.append(MotifClass(name, motif.rule, motif.priority, motif.colour, source=motif.source))
    return found


def words(motif: MotifClass, n: int, seed: int | None = None) -> list[UInt8[np.ndarray, "w"]]:
    """Words of a motif as base ids, 5' to 3'; N where any base will do, so that the one that is there can stay.

    Args:
        motif: a class with a consensus or a matrix.
        n: so many.
        seed: draws every base with the frequency that it has in the motif, and one of several patterns; None gives
            the likeliest word, of letters that stand for several bases the first.
    """
    rng = None if seed is None else np.random.default_rng(seed)
    found = []
    for _ in range(n):
        if isinstance(motif.rule, Matrix):
            p = of_counts(motif.rule.counts)
            word = p.argmax(1).astype(np.uint8) if rng is None else drawn(p, rng)
        else:
            assert isinstance(motif.rule, Consensus)  # `named` gives no other
            patterns = motif.rule.patterns
            pattern = patterns[0] if rng is None else patterns[int(rng.integers(len(patterns)))]
            word = encode("".join(_letter(letter, rng) for letter in pattern))
        found.append(reverse_complement(word) if motif.strand == "reverse" else word)
    return found


def _letter(letter: str, rng: np.random.Generator | None) -> str:
    bases = IUPAC[letter]
    if letter == "N":
        return "N"
    return bases[0] if rng is None else str(rng.choice(list(bases)))


def _matrix(name: str, matrices: str | Path | None) -> MotifClass:
    if matrices is None:
        several = matrices_by_name([name])
    else:
        several = select(read_matrices(matrices), [name], str(matrices))
    source = "JASPAR" if matrices is None else Path(matrices).name
    pvalue = next((p for p in SHORT_PVALUES if long_enough(several[0].counts, p)), PVALUE)
    return vocabulary_of(several, pvalue, source=source).classes[0]
