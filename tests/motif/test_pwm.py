# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Matrix hits: lightmotif against scores added up one by one."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import ConfigError, MissingExtraError
from gattn_tg.io import read_fasta, read_matrices, select
from gattn_tg.motif import Matrix, MotifClass, MotifVocabulary, annotate, find_matrix, hits
from gattn_tg.motif.threshold import PSEUDOCOUNT, log_odds, score_threshold
from gattn_tg.seq import encode, reverse_complement

# Arnt, JASPAR MA0004.1 (CC BY 4.0)
ARNT = ((4, 16, 0, 0), (19, 0, 1, 0), (0, 20, 0, 0), (0, 0, 20, 0), (0, 0, 0, 20), (0, 0, 20, 0))


def slow_scores(sequence: str, counts: tuple[tuple[int, ...], ...]) -> list[float]:
    scores = []
    for start in range(len(sequence) - len(counts) + 1):
        total = 0.0
        for row, base in zip(counts, sequence[start:], strict=False):
            share = (
                -1 if base == "N" else (row["ACGT".index(base)] + PSEUDOCOUNT) / (sum(row) + 4 * PSEUDOCOUNT)
            )
            total += -math.inf if share < 0 else math.log2(share / 0.25)
        scores.append(total)
    return scores


@pytest.fixture(scope="module", autouse=True)
def _lightmotif() -> None:
    pytest.importorskip("lightmotif", reason="lightmotif is absent (extra genomics)")


@pytest.fixture(scope="module")
def sequence() -> str:
    rng = np.random.default_rng(5)
    text = "".join(rng.choice(list("ACGT"), size=3000))
    return text[:500] + "CACGTG" + text[500:900] + "CACNTG" + text[900:] + "CACGTG"


def test_an_array_that_was_changed_after_a_scan_is_scanned_anew(sequence: str) -> None:
    """The sequence of the last scan is kept for the next matrix."""
    ids = encode(sequence)
    before = find_matrix(ids, ARNT, 1e-3).starts
    for at in (3, len(ids) - 10):  # in the words of eight bases that are compared, and behind the last of them
        ids[at : at + 6] = encode("CACGTG")
        assert at in find_matrix(ids, ARNT, 1e-3).starts
    assert not {3, len(ids) - 10} & set(before.tolist())
    assert find_matrix(ids[::-1], ARNT, 1e-3).starts.tolist() == find_matrix(ids[::-1].copy(), ARNT, 1e-3).starts.tolist()


def test_sites_and_scores_are_those_added_up_one_by_one(sequence: str) -> None:
    spans = find_matrix(encode(sequence), ARNT, 1e-3)
    scores = slow_scores(sequence, ARNT)
    threshold = min(spans.scores) - 1e-4
    assert spans.starts.tolist() == [at for at, score in enumerate(scores) if score >= threshold]
    assert (spans.ends - spans.starts == 6).all()
    np.testing.assert_allclose(spans.scores, [scores[at] for at in spans.starts], rtol=0, atol=1e-5)
    # The p-value holds: of all 4096 words, about one in a thousand reaches the threshold.
    words = ["".join("ACGT"[code >> shift & 3] for shift in range(10, -2, -2)) for code in range(4096)]
    reached = sum(slow_scores(word, ARNT)[0] >= threshold for word in words)
    assert 0 < reached <= 4096 * 1e-3 + 1


def test_against_moods(sequence: str, shared_data: Path) -> None:
    """Sites and scores of JASPAR's CTCF, SP1 and TBP in 130 kb, found by another library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scan = pytest.importorskip("MOODS.scan", reason="MOODS is absent (an oracle, not in an extra)")
    (record,) = read_fasta(shared_data / "regions" / "hg19_chr8_11496144_11627216.fa.gz")
    text = record.sequence.decode().upper()
    matrices = read_matrices(shared_data / "motifs" / "JASPAR2024_CORE_vertebrates_nr.jaspar")
    for motif in select(matrices, ["CTCF", "SP1", "TBP"], "JASPAR"):
        weights, threshold = log_odds(motif.counts), score_threshold(motif.counts, 1e-4)
        for reverse in (False, True):
            turned = (weights[::-1, ::-1] if reverse else weights).T.tolist()
            theirs = sorted((m.pos, m.score) for m in scan.scan_dna(text, [turned], [0.25] * 4, [threshold - 1e-9])[0])
            spans = find_matrix(encode(text), motif.counts, 1e-4, reverse=reverse)
            assert len(spans.starts) > 10
            assert spans.starts.tolist() == [at for at, _ in theirs]
            np.testing.assert_allclose(spans.scores, [score for _, score in theirs], rtol=0, atol=1e-6)


def test_probabilities_find_the_best_words_of_their_own_log_odds() -> None:
    """All words of 8 bases, scored from the probabilities themselves: those above the p-value's rank are found."""
    shares = np.array([(.7, .1, .1, .1), (.1, .6, .2, .1), (.05, .05, .85, .05), (.2, .1, .1, .6), (.55, .15, .15, .15), (.1, .1, .7, .1), (.6, .2, .1, .1), (.1, .1, .1, .7)])  # fmt: skip
    words = np.indices((4,) * 8).reshape(8, -1).T
    scores = np.log2(shares / 0.25)[np.arange(8), words].sum(axis=1)
    best = scores > np.sort(scores)[::-1][int(1e-3 * len(words))] + 1e-9
    assert best.sum() == 49
    apart = np.pad(words, ((0, 0), (0, 1)), constant_values=4).astype(np.uint8)
    spans = find_matrix(apart.ravel(), shares.tolist(), 1e-3)
    assert spans.starts.tolist() == (np.flatnonzero(best) * 9).tolist()
    np.testing.assert_allclose(spans.scores, scores[best], rtol=0, atol=1e-9)


def test_other_strand(sequence: str) -> None:
    here = find_matrix(encode(sequence), ARNT, 1e-3, reverse=True)
    there = find_matrix(encode(reverse_complement(sequence)), ARNT, 1e-3)
    assert here.starts.tolist() == sorted((len(sequence) - there.ends).tolist())
    np.testing.assert_allclose(here.scores, there.scores[::-1], rtol=0, atol=1e-5)


def test_unknown_bases_are_in_no_site_even_at_a_permissive_threshold() -> None:
    spans = find_matrix(encode("CACNTGNNNNNNACGTCG"), ARNT, 0.9)
    assert all(start >= 12 for start in spans.starts.tolist())


def test_short_and_empty_sequences_have_no_site() -> None:
    for text in ("", "CACGT"):
        assert find_matrix(encode(text), ARNT, 1e-3).starts.tolist() == []


def test_matrix_class_annotates_both_strands_and_reports_bits(sequence: str) -> None:
    vocabulary = MotifVocabulary((MotifClass("arnt", Matrix(ARNT, 1e-3), 1, "#123456"),))
    assert vocabulary.is_strand_symmetric
    ids = annotate(sequence, vocabulary)
    assert ids[500:506].all()
    assert (annotate(reverse_complement(sequence), vocabulary) == ids[::-1]).all()
    best = max(hits(sequence, vocabulary), key=lambda hit: hit.score)
    assert sequence[best.start : best.end] == "CACGTG"


def test_matrix_that_is_its_own_reverse_complement() -> None:
    assert Matrix(((9, 0, 0, 1), (1, 0, 0, 9)), 0.01).is_symmetric
    assert not Matrix(ARNT, 0.01).is_symmetric


@pytest.mark.parametrize(
    ("counts", "pvalue", "text"),
    [
        ((), 0.1, "motif matrix: expected rows of four numbers of at least 0 (A C G T), counts or probabilities, one row per position, got (); correct the matrix"),
        (((0.5, -0.5, 0, 1),), 0.1, "motif matrix: expected rows of four numbers of at least 0 (A C G T), counts or probabilities, one row per position, got ((0.5, -0.5, 0, 1),); correct the matrix"),
        (((1, 2, 3),), 0.1, "motif matrix: expected rows of four numbers of at least 0 (A C G T), counts or probabilities, one row per position, got ((1, 2, 3),); correct the matrix"),
        (((1, math.inf, 0, 0),), 0.1, "motif matrix: expected rows of four numbers of at least 0 (A C G T), counts or probabilities, one row per position, got ((1, inf, 0, 0),); correct the matrix"),
        (((True, 0, 0, 0),), 0.1, "motif matrix: expected rows of four numbers of at least 0 (A C G T), counts or probabilities, one row per position, got ((True, 0, 0, 0),); correct the matrix"),
        (((1, 0, 0, 0), (0, 0, 0, 0)), 0.1, "motif matrix: expected at least one observation at each position, but position 1 has none; was a row lost?"),
        (((1, 0, 0, 0),), 1.0, "motif matrix: expected pvalue between 0 and 1, got 1.0; 1e-4 is usual"),
    ],
)  # fmt: skip
def test_bad_matrices_are_refused(counts: tuple[tuple[int, ...], ...], pvalue: float, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Matrix(counts, pvalue)  # type: ignore[arg-type]
    assert str(caught.value) == text


def test_missing_lightmotif_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightmotif", None)
    with pytest.raises(MissingExtraError) as caught:
        find_matrix(encode("CACGTG"), ARNT, 1e-3)
    assert str(caught.value) == (
        "motif.pwm: expected lightmotif to scan matrices, but it is not installed; "
        'pip install "gattn_tg[genomics]"'
    )


def test_ctcf_sites_lie_at_the_summits_of_ctcf_peaks(shared_data: Path) -> None:
    """JASPAR's CTCF matrix against ENCODE ChIP-seq peaks: sites near summits, few at the same distance elsewhere."""
    lines = (shared_data / "motifs" / "JASPAR2024_CORE_vertebrates_nr.jaspar").read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith(">MA0139"))
    columns = [[int(x) for x in line.split("[")[1].split("]")[0].split()] for line in lines[at + 1 : at + 5]]
    ctcf = tuple(zip(*columns, strict=True))

    windows = {}
    for record in read_fasta(shared_data / "tracks" / "hg38_borzoi_tiny_seqs.fa.gz"):
        chrom, span = record.name.split(":")
        start, end = map(int, span.split("-"))
        windows[chrom, start, end] = encode(record.sequence)
    near = elsewhere = peaks = 0
    for line in (shared_data / "regions" / "chipseq_ctcf_hg38.narrowPeak").read_text().splitlines():
        fields = line.split("\t")
        summit = int(fields[1]) + int(fields[9])
        for (chrom, start, end), ids in windows.items():
            if chrom == fields[0] and start + 1200 <= summit < end - 1200:
                peaks += 1
                for shift in (0, 1000):
                    part = ids[summit - start + shift - 50 : summit - start + shift + 50]
                    found = any(find_matrix(part, ctcf, 1e-4, reverse=r).starts.size for r in (False, True))
                    near, elsewhere = near + (found and not shift), elsewhere + (found and bool(shift))
    assert peaks > 100
    assert near / peaks > 0.6 > 0.1 > elsewhere / peaks
