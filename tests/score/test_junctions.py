"""Known junctions from exons, the weight matrix, and the judgement, each against values counted by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.errors import ShapeError
from gattn_tg.io.gtf import read_gtf
from gattn_tg.score.junctions import is_real, judged, junctions, weight_matrix_scores
from gattn_tg.score.splice import candidates

GTF = (
    'c\tx\texon\t{}\t{}\t.\t{}\t.\tgene_id "g"; transcript_id "{}";\n'  # counts from 1, both ends included
)


def gtf(path: Path, *exons: tuple[int, int, str, str]) -> Path:
    path.write_text("".join(GTF.format(*exon) for exon in exons))
    return path


def test_introns_begin_with_donors_and_end_with_acceptors_on_both_strands(tmp_path: Path) -> None:
    """Exons at 0-based 10-20, 30-40 and 50-60, in any order of the lines; a transcript of one exon has no junction."""
    path = gtf(
        tmp_path / "x.gtf", (51, 60, "+", "t1"), (11, 20, "+", "t1"), (31, 40, "+", "t1"), (11, 20, "-", "t2"),
        (31, 40, "-", "t2"), (71, 80, "+", "t3"),
    )  # fmt: skip
    assert junctions(read_gtf(path)) == {
        ("donor", "+", 20), ("acceptor", "+", 30), ("donor", "+", 40), ("acceptor", "+", 50),
        ("acceptor", "-", 20), ("donor", "-", 30),
    }  # fmt: skip


def test_candidates_stand_where_the_exons_of_either_strand_end(tmp_path: Path) -> None:
    """An intron GT...AG of the + strand, and one whose other strand reads CT...AC, found by letters and by exons."""
    exon, intron, back = b"CCCCCCCCCC", b"GTCCCCCCAG", b"CTCCCCCCAC"
    sequence = exon + intron + exon + back + exon
    path = gtf(tmp_path / "x.gtf", (1, 10, "+", "a"), (21, 30, "+", "a"), (21, 30, "-", "b"), (41, 50, "-", "b"))
    found = list(candidates(sequence, chrom="c", offset=0, start=0, end=50, width=10))
    real = junctions(read_gtf(path))
    known = [site for site, yes in zip(found, is_real(found, real), strict=True) if yes]
    assert {(s.kind, s.strand, s.position) for s in known} == real
    assert len(real) == 4


def test_the_weight_matrix_is_the_log_ratio_of_counts() -> None:
    """Three of four examples begin with A, all go on with C; an N says nothing."""
    a, c, n = weight_matrix_scores([b"AC", b"AC", b"AC", b"GC"], [b"AC", b"GC", b"NN"]).tolist()
    assert a > c > n == 0
    share = [(3 + 0.25) / 5, (1 + 0.25) / 5]
    assert a - c == pytest.approx(math.log2(share[0] / share[1]), abs=0.3)  # pseudocounts of motif.threshold
    with pytest.raises(ShapeError, match=r"expected examples and windows of one length, got 1 examples .*\[2, 3\]"):
        weight_matrix_scores([b"AC"], [b"ACG"])
    with pytest.raises(ShapeError, match="got 0 examples"):
        weight_matrix_scores([], [b"ACG"])


def test_precision_and_recall_at_the_threshold() -> None:
    real = np.array([True, True, False, False, True])
    score = np.array([0.9, 0.4, 0.8, 0.5, 0.6])
    j = judged("donor", real, score, np.array([0, 0, 1, 2, 0.5]), 0.5)
    assert (j.n_candidates, j.n_real, j.n_shown, j.n_found) == (5, 3, 3, 2)  # 0.5 itself is not above 0.5
    assert (j.precision, j.recall, j.by_chance) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 0.6)
    assert j.average_precision == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert j.by_weight_matrix == pytest.approx((1 / 3 + 3 / 5 + 3 / 5) / 3)
    assert j.difference[1] <= j.difference[0] <= j.difference[2]
    with pytest.raises(ShapeError, match="expected one of donor, acceptor"):
        judged("exon", real, score, score, 0.5)


def test_without_known_or_shown_sites_nothing_is_claimed() -> None:
    j = judged("acceptor", np.zeros(3, bool), np.zeros(3), np.zeros(3), 0.5)
    said = json.loads(json.dumps(j.to_dict(), allow_nan=False))
    assert [said[name] for name in ("precision", "recall", "average_precision", "by_weight_matrix")] == [None] * 4
    assert said["difference"] == [None] * 3
    assert said["by_chance"] == 0.0
